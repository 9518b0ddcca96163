/*
 * Load for a WebSocket server from one thread: load <requests|fanout|resume> --port n [--key value ...].
 *
 *   requests  --connections --in-flight --frame --seconds [--count] [--rate] [--names]
 *             asks one thing on every connection, each answer at once followed by the next request
 *   fanout    --connections --subscribe --frame --in-flight --seconds
 *             one more connection publishes; so many events are under way that --in-flight of them have not
 *             reached every subscriber
 *   resume    --connections --subscribe --events
 *             connects all and waits until each has had so many events, while new connections are tried
 *
 * In a frame {id} becomes the request's slot, {n} a number below --names, of two digits
 * at least, and {v} the number of the request.
 * With --pid the server's use of processors is said beside the client's own, both in percent of one.
 * Prints one line of JSON. What counts as a response begins with {"id", as an event with {"type":"event".
 */
#include "ws.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define HANDSHAKES 128 /* at once */
#define PROBE_SECONDS 0.02
#define GIVE_UP_SECONDS 60
#define EVENTS_UNDER_WAY 4096

enum role { CLIENT, PUBLISHER, PROBE };

static const char *mode = "", *frame = "", *subscribe = "";
static long connections = 1, in_flight = 1, limit, names = 1, expected;
static double seconds = 1, warm = 0.3, rate;

static struct conn **clients;
static struct conn *publisher;
static long started, greeted, acknowledged, complete, closed, errors;
static char first_error[HEAD + 1];
static double begin, measured_from;
static double own_cpu, server_cpu; /* used before */
static long pid;                   /* of the server, to say what it used */
static long sequence, answered, deliveries, published, delivered;
static double published_at[EVENTS_UNDER_WAY];
static struct { struct conn *c; int slot; } *idle;
static long idle_length;

static struct { double *values; size_t length, capacity; } waits;

static void record(double value) {
  if (waits.length == waits.capacity) {
    waits.capacity = waits.capacity ? waits.capacity * 2 : 1 << 16;
    waits.values = realloc(waits.values, waits.capacity * sizeof(double));
    if (waits.values == NULL) die("out of memory");
  }
  waits.values[waits.length++] = value;
}

static int is(const char *head, const char *prefix) {
  return strncmp(head, prefix, strlen(prefix)) == 0;
}

static void note_error(const char *head) {
  if (errors++ == 0) snprintf(first_error, sizeof first_error, "%s", head);
}

static void send_template(struct conn *c, const char *template, int slot) {
  static char text[1 << 16];
  size_t n = 0;
  for (const char *p = template; *p; p++) {
    if (n + 32 > sizeof text) die("a frame is too long");
    if (is(p, "{id}")) n += (size_t)sprintf(text + n, "%d", slot), p += 3;
    else if (is(p, "{n}")) n += (size_t)sprintf(text + n, "%02ld", sequence % names), p += 2;
    else if (is(p, "{v}")) n += (size_t)sprintf(text + n, "%ld", sequence), p += 2;
    else text[n++] = *p;
  }
  sequence++;
  ws_send(c, text, n);
}

static void ask(struct conn *c, int slot) {
  c->sent[slot] = now();
  send_template(c, frame, slot);
}

static struct conn *connection(enum role role) {
  struct conn *c = calloc(1, sizeof *c);
  if (c == NULL) die("out of memory");
  c->role = role;
  c->count = -1; /* until the hello has come */
  c->sent = calloc((size_t)in_flight, sizeof(double));
  ws_connect(c);
  return c;
}

void on_open(struct conn *c) { (void)c; }

void on_closed(struct conn *c, int code) {
  if (c->role == PROBE) return;
  closed++;
  char text[64];
  snprintf(text, sizeof text, "a connection was closed with %d", code);
  note_error(text);
}

static void on_answer(struct conn *c, const char *head) {
  if (strstr(head, "\"error\":{") != NULL) note_error(head);
  const char *id = strstr(head, "\"id\":\"");
  int slot = id == NULL ? -1 : atoi(id + 6);
  if (slot < 0 || slot >= in_flight) die("an answer to nothing: %s", head);
  answered++;
  record(now() - c->sent[slot]);
  if (limit > 0 && sequence >= limit) return;
  if (rate == 0) ask(c, slot);
  else idle[idle_length].c = c, idle[idle_length++].slot = slot;
}

static void publish_more(void) {
  while (published - delivered < in_flight) {
    published_at[published++ % EVENTS_UNDER_WAY] = now();
    send_template(publisher, frame, (int)(published % in_flight));
  }
}

static void on_delivery(void) {
  if (++deliveries % connections != 0) return;
  record(now() - published_at[delivered++ % EVENTS_UNDER_WAY]);
}

static void on_hello(struct conn *c) {
  c->count = 0;
  if (c->role == PROBE) {
    record(now() - c->began);
    ws_close(c);
    return;
  }
  greeted++;
  if (*subscribe && c->role == CLIENT) send_template(c, subscribe, 0);
}

void on_text(struct conn *c, const char *head, uint64_t length) {
  (void)length;
  if (c->count < 0) {
    on_hello(c);
  } else if (is(head, "{\"id\"")) {
    if (is(mode, "requests")) {
      on_answer(c, head);
    } else if (strstr(head, "\"error\":{") != NULL) {
      note_error(head);
    } else if (c->role == CLIENT) {
      acknowledged++;
      if (is(mode, "resume") && strstr(head, "\"replayed\"") == NULL) note_error(head);
    }
  } else if (c->role == CLIENT && !is(head, "{\"type\":\"event\",\"event\":\"bookmark\"")) {
    if (is(mode, "fanout")) on_delivery();
    else if (++deliveries && ++c->count == expected) complete++;
  }
}

static void open_more(void) {
  while (started < connections && started - greeted < HANDSHAKES) {
    clients[started++] = connection(CLIENT);
  }
}

static double own_cpu_now(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* User and system time of the server, the 14th and 15th field of its line in /proc. */
static double server_cpu_now(void) {
  char path[64], line[1024] = "";
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  FILE *file = pid > 0 ? fopen(path, "r") : NULL;
  if (file == NULL) return 0;
  unsigned long user = 0, system = 0;
  if (fgets(line, sizeof line, file) != NULL && strrchr(line, ')') != NULL)
    sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  fclose(file);
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void reset(void) {
  answered = 0;
  waits.length = 0;
  bytes_in = 0;
  own_cpu = own_cpu_now();
  server_cpu = server_cpu_now();
  measured_from = now();
}

static void open_all(void) {
  double until = now() + GIVE_UP_SECONDS;
  while (greeted < connections || (*subscribe && acknowledged < connections)) {
    open_more();
    ws_poll(100);
    if (errors) die("%s", first_error);
    if (now() > until) die("only %ld of %ld connections were greeted", greeted, connections);
  }
}

/* Sends what the rate allows by now. */
static void send_due(double due) {
  while (idle_length > 0 && (double)sequence < due) {
    idle_length--;
    ask(idle[idle_length].c, idle[idle_length].slot);
  }
}

static void run_requests(void) {
  open_all();
  idle = calloc((size_t)(connections * in_flight), sizeof *idle);
  sequence = 0;
  begin = now();
  reset();
  for (long i = 0; i < connections; i++) {
    for (int slot = 0; slot < in_flight; slot++) {
      if (limit > 0 && sequence >= limit) break;
      if (rate == 0) ask(clients[i], slot);
      else idle[idle_length].c = clients[i], idle[idle_length++].slot = slot;
    }
  }
  int is_warm = limit > 0;
  while (limit > 0 ? answered < limit : now() < begin + warm + seconds) {
    if (rate > 0) send_due((now() - begin) * rate);
    ws_poll(rate > 0 ? 1 : 100);
    if (!is_warm && now() > begin + warm) is_warm = 1, reset();
    if (closed) break;
  }
}

static void run_fanout(void) {
  open_all();
  publisher = connection(PUBLISHER);
  while (publisher->count < 0) ws_poll(100);
  begin = now();
  reset();
  long before = 0;
  int is_warm = 0;
  while (now() < begin + warm + seconds && !closed) {
    publish_more();
    ws_poll(100);
    if (!is_warm && now() > begin + warm) is_warm = 1, before = deliveries, reset();
  }
  deliveries -= before;
}

static void run_resume(void) {
  begin = now();
  reset();
  double next_probe = begin;
  while (complete < connections && !closed) {
    open_more();
    if (now() >= next_probe) {
      connection(PROBE);
      next_probe += PROBE_SECONDS;
    }
    ws_poll(5);
    if (now() > begin + GIVE_UP_SECONDS)
      die("only %ld of %ld clients had all events: %s", complete, connections, first_error);
  }
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(double part) {
  if (waits.length == 0) return 0;
  size_t i = (size_t)((double)waits.length * part);
  return waits.values[i < waits.length ? i : waits.length - 1] * 1e3;
}

static void report(void) {
  double took = now() - measured_from;
  double client = (own_cpu_now() - own_cpu) / took * 100;
  double server = (server_cpu_now() - server_cpu) / took * 100;
  if (waits.length > 0) qsort(waits.values, waits.length, sizeof(double), by_value);
  if (errors) fprintf(stderr, "load: %ld errors, the first: %s\n", errors, first_error);
  long count = is(mode, "requests") ? answered : deliveries;
  printf("{\"count\":%ld,\"seconds\":%.6f,\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
         "\"max_ms\":%.3f,\"waits\":%zu,\"errors\":%ld,\"bytes\":%llu,\"client_cpu\":%.1f,\"server_cpu\":%.1f}\n",
         count, took, (double)count / took, percentile(0.5), percentile(0.99), percentile(1),
         waits.length, errors, (unsigned long long)bytes_in, client, server);
}

static void read_options(int argc, char **argv) {
  if (argc < 2 || argc % 2 != 0) die("usage: load <requests|fanout|resume> --port n [--key value ...]");
  mode = argv[1];
  int port = 0;
  for (int i = 2; i < argc; i += 2) {
    const char *key = argv[i], *value = argv[i + 1];
    if (is(key, "--port")) port = atoi(value);
    else if (is(key, "--connections")) connections = atol(value);
    else if (is(key, "--in-flight")) in_flight = atol(value);
    else if (is(key, "--frame")) frame = value;
    else if (is(key, "--subscribe")) subscribe = value;
    else if (is(key, "--seconds")) seconds = atof(value);
    else if (is(key, "--warm")) warm = atof(value);
    else if (is(key, "--count")) limit = atol(value);
    else if (is(key, "--rate")) rate = atof(value);
    else if (is(key, "--names")) names = atol(value);
    else if (is(key, "--pid")) pid = atol(value);
    else if (is(key, "--events")) expected = atol(value);
    else die("unknown option %s", key);
  }
  ws_target("127.0.0.1", port);
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("epoll: %s", strerror(errno));
  clients = calloc((size_t)connections, sizeof *clients);
  if (is(mode, "requests")) run_requests();
  else if (is(mode, "fanout")) run_fanout();
  else if (is(mode, "resume")) run_resume();
  else die("unknown mode %s", mode);
  report();
  return errors ? 2 : 0;
}
