/* The least of a WebSocket client: non-blocking, over epoll, text frames out, frames of any size in. */
#ifndef WS_H
#define WS_H
#include <stddef.h>
#include <stdint.h>

/* Bytes of a frame's beginning that are kept to look into. */
#define HEAD 192

enum phase { CONNECTING, HANDSHAKE, OPEN, CLOSED };

struct conn {
  int fd;
  enum phase phase;
  uint8_t header[10]; /* of the frame that comes in */
  int header_length;
  uint64_t left; /* bytes of its payload still to come */
  char head[HEAD + 1];
  size_t head_length;
  uint8_t *out; /* what the socket did not take yet */
  size_t out_length, out_capacity;
  int match; /* how much of the end of the HTTP response has come */
  /* For the scenario. */
  int role;
  double began;
  long count;
  double *sent; /* by slot */
};

/* What a scenario does. */
void on_open(struct conn *c);
/* A text frame: its first bytes, ended by 0, and its whole length. */
void on_text(struct conn *c, const char *head, uint64_t length);
void on_closed(struct conn *c, int code);

extern int epoll_fd;
extern uint64_t bytes_in;
double now(void);
void die(const char *format, ...);
void ws_target(const char *host, int port);
void ws_connect(struct conn *c);
void ws_send(struct conn *c, const char *text, size_t length);
void ws_close(struct conn *c);
/* Handles what has come, at most for this long. */
void ws_poll(int timeout_ms);
#endif
