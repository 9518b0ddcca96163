/* A small HTTP service in C: / answers its name, version and pid, /healthz says ok. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "0.0.0"
#endif

static volatile sig_atomic_t stopping = 0;

static void on_term(int signal) {
  (void)signal;
  stopping = 1;
}

static void respond(int client, const char *status, const char *body) {
  char text[512];
  int length = snprintf(text, sizeof text,
                        "HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
                        "content-length: %zu\r\nconnection: close\r\n\r\n%s",
                        status, strlen(body), body);
  if (length > 0 && write(client, text, (size_t)length) < 0) perror("write");
}

static void serve(int client) {
  struct timeval patience = {5, 0};
  char request[4096] = {0}, body[256];
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (read(client, request, sizeof request - 1) <= 0) return;
  if (strncmp(request, "GET /healthz ", 13) == 0) {
    respond(client, "200 OK", "{\"status\":\"ok\"}\n");
  } else if (strncmp(request, "GET / ", 6) == 0) {
    snprintf(body, sizeof body, "{\"service\":\"%s\",\"version\":\"%s\",\"pid\":%d}\n",
             getenv("HARNESS_SERVICE") ? getenv("HARNESS_SERVICE") : "compiled-service", VERSION,
             (int)getpid());
    respond(client, "200 OK", body);
  } else {
    respond(client, "404 Not Found", "{\"error\":\"not found\"}\n");
  }
}

int main(void) {
  const char *port = getenv("HARNESS_PORT_HTTP");
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(port ? port : "8080"))};
  struct sigaction action = {.sa_handler = on_term};
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  sigaction(SIGTERM, &action, NULL); /* without SA_RESTART: accept() returns, and the loop ends */
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0) {
    perror("Cannot listen");
    return 1;
  }
  printf("compiled-service %s listens on port %d\n", VERSION, ntohs(address.sin_port));
  fflush(stdout);
  while (!stopping) {
    int client = accept(listener, NULL, NULL);
    if (client < 0) continue;
    serve(client);
    close(client);
  }
  puts("stopped");
  return 0;
}
