#include "ws.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int epoll_fd;
uint64_t bytes_in;
static struct sockaddr_in address;
static char request[512];

double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

void ws_target(const char *host, int port) {
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("%s is no IPv4 address", host);
  snprintf(request, sizeof request,
           "GET / HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\r\n",
           host, port);
}

static void watch(struct conn *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

void ws_connect(struct conn *c) {
  int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket: %s", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  c->phase = CONNECTING;
  c->began = now();
  c->header_length = c->match = 0;
  c->left = c->head_length = c->out_length = 0;
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void ws_close(struct conn *c) {
  if (c->phase == CLOSED) return;
  close(c->fd);
  c->phase = CLOSED;
}

static void write_out(struct conn *c, const uint8_t *bytes, size_t length) {
  if (c->out_length == 0) {
    ssize_t written = write(c->fd, bytes, length);
    if (written < 0 && errno != EAGAIN) return; /* the end is read */
    if (written > 0) {
      bytes += written;
      length -= (size_t)written;
    }
    if (length == 0) return;
    watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  if (c->out_length + length > c->out_capacity) {
    c->out_capacity = (c->out_length + length) * 2;
    c->out = realloc(c->out, c->out_capacity);
    if (c->out == NULL) die("out of memory");
  }
  memcpy(c->out + c->out_length, bytes, length);
  c->out_length += length;
}

static void flush_out(struct conn *c) {
  ssize_t written = write(c->fd, c->out, c->out_length);
  if (written <= 0) return;
  c->out_length -= (size_t)written;
  memmove(c->out, c->out + written, c->out_length);
  if (c->out_length == 0) watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* The masking key is zero: the bytes stay as they are, and the server's work is the same. */
static void send_frame(struct conn *c, int opcode, const char *text, size_t length) {
  static uint8_t frame[1 << 17];
  size_t n = 2;
  if (length + 14 > sizeof frame) die("a frame of %zu bytes is too long", length);
  frame[0] = (uint8_t)(0x80 | opcode);
  if (length < 126) {
    frame[1] = (uint8_t)(0x80 | length);
  } else if (length < 65536) {
    frame[1] = 0x80 | 126;
    frame[n++] = (uint8_t)(length >> 8);
    frame[n++] = (uint8_t)length;
  } else {
    frame[1] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) frame[n++] = (uint8_t)((uint64_t)length >> shift);
  }
  memset(frame + n, 0, 4);
  memcpy(frame + n + 4, text, length);
  write_out(c, frame, n + 4 + length);
}

void ws_send(struct conn *c, const char *text, size_t length) { send_frame(c, 1, text, length); }

static void frame_done(struct conn *c, uint64_t length) {
  int opcode = c->header[0] & 0x0f;
  if (opcode == 8) {
    int code = c->head_length < 2 ? 1005 : (uint8_t)c->head[0] << 8 | (uint8_t)c->head[1];
    ws_close(c);
    on_closed(c, code);
  } else if (opcode == 9) {
    send_frame(c, 10, c->head, c->head_length);
  } else if (opcode == 1 || opcode == 0) {
    if (!(c->header[0] & 0x80)) die("a fragmented message: not understood here");
    c->head[c->head_length] = 0;
    on_text(c, c->head, length);
  }
}

/* Bytes that the header of a frame has, as far as it can be told. */
static int header_size(const struct conn *c) {
  if (c->header_length < 2) return 2;
  int length = c->header[1] & 0x7f;
  return length < 126 ? 2 : length == 126 ? 4 : 10;
}

static uint64_t payload_size(const struct conn *c) {
  uint64_t length = c->header[1] & 0x7f;
  if (length < 126) return length;
  length = 0;
  for (int i = 2; i < c->header_length; i++) length = length << 8 | c->header[i];
  return length;
}

static void feed(struct conn *c, const uint8_t *bytes, size_t n) {
  while (n > 0 && c->phase == OPEN) {
    if (c->left == 0) {
      c->header[c->header_length++] = *bytes++;
      n--;
      if (c->header_length < header_size(c)) continue;
      c->left = payload_size(c);
      c->head_length = 0;
      if (c->left == 0) {
        frame_done(c, 0);
        c->header_length = 0;
      }
      continue;
    }
    size_t part = n < c->left ? n : (size_t)c->left;
    size_t kept = part < HEAD - c->head_length ? part : HEAD - c->head_length;
    memcpy(c->head + c->head_length, bytes, kept);
    c->head_length += kept;
    bytes += part;
    n -= part;
    c->left -= part;
    if (c->left == 0) {
      uint64_t length = payload_size(c);
      frame_done(c, length);
      c->header_length = 0;
    }
  }
}

/* Reads the HTTP response up to its empty line; the rest are frames. */
static void handshake(struct conn *c, const uint8_t *bytes, size_t n) {
  static const char end[] = "\r\n\r\n";
  size_t i = 0;
  for (; i < n && c->match < 4; i++) {
    if (c->head_length < HEAD) c->head[c->head_length++] = (char)bytes[i];
    c->match = bytes[i] == end[c->match] ? c->match + 1 : bytes[i] == '\r';
  }
  if (c->match < 4) return;
  c->head[c->head_length] = 0;
  if (strncmp(c->head + 8, " 101", 4) != 0) die("the handshake was refused: %.100s", c->head);
  c->phase = OPEN;
  c->head_length = 0;
  on_open(c);
  feed(c, bytes + i, n - i);
}

static void readable(struct conn *c) {
  static uint8_t buffer[1 << 18];
  for (int turns = 0; turns < 4 && c->phase != CLOSED; turns++) {
    ssize_t n = read(c->fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      ws_close(c);
      on_closed(c, 1006);
      return;
    }
    bytes_in += (uint64_t)n;
    if (c->phase == HANDSHAKE) handshake(c, buffer, (size_t)n);
    else feed(c, buffer, (size_t)n);
    if ((size_t)n < sizeof buffer) return;
  }
}

void ws_poll(int timeout_ms) {
  struct epoll_event events[512];
  int n = epoll_wait(epoll_fd, events, 512, timeout_ms);
  for (int i = 0; i < n; i++) {
    struct conn *c = events[i].data.ptr;
    if (c->phase == CLOSED) continue;
    if (c->phase == CONNECTING && events[i].events & EPOLLOUT) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) die("connect: %s", strerror(error));
      c->phase = HANDSHAKE;
      watch(c, EPOLL_CTL_MOD, EPOLLIN);
      write_out(c, (const uint8_t *)request, strlen(request));
    } else if (events[i].events & EPOLLOUT && c->out_length > 0) {
      flush_out(c);
    }
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
  }
}
