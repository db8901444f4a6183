/*
 * A load generator of one thread, for servers that echo or publish.
 *
 *   loadgen MODE --port P [--conns N] [--inflight N] [--size BYTES] [--seconds S] [--warmup S] [--pid PID]
 *
 *   tcp         sends lines that end with CRLF, expects each back
 *   udp         sends datagrams from one socket per connection, expects each back
 *   http        sends GET / over connections that stay open, expects 200
 *   ws-echo     sends text frames, expects each back
 *   ws-publish  one connection sends a text frame, expects it on all the others, then sends the next
 *
 * Each of the connections keeps --inflight messages under way. A message is its number in 16 hex digits, filled up to
 * --size; every answer is compared with what was sent, and one that differs, is lost or cut off is an error. Prints one line
 * of JSON. The CPU time of the server is that of --pid and all processes below it, from /proc/PID/stat.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NUMBER_DIGITS 16
#define MAX_MESSAGE 65536
#define READ_BYTES 65536
#define LOST_AFTER_NS 200000000ull
#define SECOND_NS 1e9

struct buffer {
  char *bytes;
  size_t length, capacity;
};

struct connection {
  int fd;
  bool is_open;      /* the WebSocket handshake is done */
  bool wants_write;  /* epoll reports when more can be sent */
  bool has_failed;
  uint64_t sent, received;
  uint64_t first;    /* udp: answers to earlier messages are late, and were counted as lost */
  uint64_t *sent_at; /* by number modulo --inflight */
  uint64_t last_at;
  struct buffer in, out;
};

struct mode {
  const char *name;
  int socket_type;
  bool has_handshake;
  /* Adds message number `number` to what the connection sends. */
  void (*ask)(struct connection *, uint64_t number);
  /* Takes one answer from the front. Returns the bytes it had, 0 when it is not whole. */
  size_t (*answer)(struct connection *, char *bytes, size_t length);
};

static const char *host = "127.0.0.1";
static int port, num_connections = 50, inflight = 1, message_size = 64, server_pid;
static double seconds = 3, warmup_seconds = 1;

static const struct mode *mode;
static struct connection *connections;
static int epoll;
static bool is_measuring;
static uint64_t messages, errors;
static uint64_t clock_ns; /* read once for each event: a call for each message would cost the generator more than the message */

/* ---- latencies: powers of two, each in 32 steps ---- */

static uint64_t latencies[64][32];

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void count_message(uint64_t latency_ns) {
  if (!is_measuring)
    return;
  uint64_t tenths = latency_ns / 100 + 1;
  int power = 63 - __builtin_clzll(tenths);
  latencies[power][power >= 5 ? (tenths >> (power - 5)) & 31 : 0]++;
  messages++;
}

static double percentile_us(double share) {
  uint64_t seen = 0;
  for (int power = 0; power < 64; power++)
    for (int step = 0; step < 32; step++) {
      seen += latencies[power][step];
      if (seen > 0 && seen >= messages * share)
        return (power >= 5 ? (32ull + step) << (power - 5) : 1ull << power) / 10.0;
    }
  return 0;
}

/* ---- CPU time ---- */

/* Reads the parent and the used clock ticks of a process; returns whether it is there. */
static bool read_process(int pid, int *parent, unsigned long *ticks) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file)
    return false;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  char *rest = strrchr(text, ')'); /* the name before it may hold anything */
  unsigned long user, system;
  if (!rest || sscanf(rest + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", parent, &user, &system) != 3)
    return false;
  *ticks = user + system;
  return true;
}

static bool is_of_server(int pid) {
  unsigned long ticks;
  while (pid > 1)
    if (pid == server_pid)
      return true;
    else if (!read_process(pid, &pid, &ticks))
      return false;
  return false;
}

static double server_cpu_seconds(void) {
  if (!server_pid)
    return 0;
  unsigned long sum = 0;
  DIR *directory = opendir("/proc");
  for (struct dirent *entry; (entry = readdir(directory));) {
    int pid = atoi(entry->d_name), parent;
    unsigned long ticks;
    if (pid > 0 && is_of_server(pid) && read_process(pid, &parent, &ticks))
      sum += ticks;
  }
  closedir(directory);
  return (double)sum / sysconf(_SC_CLK_TCK);
}

static double own_cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- messages ---- */

static char message[MAX_MESSAGE];

/* Makes `message` the one of this number. */
static void number_message(uint64_t number) {
  for (int i = NUMBER_DIGITS - 1; i >= 0; i--, number >>= 4)
    message[i] = "0123456789abcdef"[number & 15];
}

static void check_message(uint64_t number, const char *bytes, size_t length) {
  number_message(number);
  if (length != (size_t)message_size || memcmp(bytes, message, length) != 0)
    errors++;
}

/* ---- sending and receiving ---- */

static void fail(struct connection *c) {
  if (c->has_failed)
    return;
  c->has_failed = true;
  errors++;
  close(c->fd);
}

static char *reserve(struct buffer *buffer, size_t room) {
  if (buffer->length + room > buffer->capacity) {
    buffer->capacity = 2 * (buffer->length + room);
    buffer->bytes = realloc(buffer->bytes, buffer->capacity);
  }
  return buffer->bytes + buffer->length;
}

static void append(struct buffer *buffer, const void *bytes, size_t length) {
  memcpy(reserve(buffer, length), bytes, length);
  buffer->length += length;
}

static void drop_front(struct buffer *buffer, size_t length) {
  buffer->length -= length;
  memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

static void watch(struct connection *c, int operation) {
  struct epoll_event event = {EPOLLIN | (c->wants_write ? EPOLLOUT : 0), {.u32 = c - connections}};
  epoll_ctl(epoll, operation, c->fd, &event);
}

static void flush_out(struct connection *c) {
  size_t done = 0;
  while (done < c->out.length) {
    ssize_t n = send(c->fd, c->out.bytes + done, c->out.length - done, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
      return fail(c);
    if (n < 0)
      break;
    done += n;
  }
  if (done > 0)
    drop_front(&c->out, done);
  bool wants_write = c->out.length > 0;
  if (wants_write == c->wants_write)
    return;
  c->wants_write = wants_write;
  watch(c, EPOLL_CTL_MOD);
}

static void ask_next(struct connection *c) {
  c->sent_at[c->sent % inflight] = clock_ns;
  mode->ask(c, c->sent++);
}

static void ask_all(struct connection *c) {
  for (int i = 0; i < inflight; i++)
    ask_next(c);
  flush_out(c);
}

/* The next answer has come. `bytes` is NULL where the answer does not repeat the message. */
static void answered(struct connection *c, const char *bytes, size_t length) {
  uint64_t number = c->received++;
  if (bytes)
    check_message(number, bytes, length);
  count_message(clock_ns - c->sent_at[number % inflight]);
  ask_next(c);
}

/* ---- tcp ---- */

static void ask_line(struct connection *c, uint64_t number) {
  number_message(number);
  append(&c->out, message, message_size);
  append(&c->out, "\r\n", 2);
}

static size_t answer_line(struct connection *c, char *bytes, size_t length) {
  char *end = memmem(bytes, length, "\r\n", 2);
  if (!end)
    return 0;
  answered(c, bytes, end - bytes);
  return end + 2 - bytes;
}

/* ---- http ---- */

static void ask_request(struct connection *c, uint64_t number) {
  (void)number;
  char *to = reserve(&c->out, 256);
  c->out.length += snprintf(to, 256, "GET / HTTP/1.1\r\nHost: %s:%d\r\n\r\n", host, port);
}

static size_t answer_response(struct connection *c, char *bytes, size_t length) {
  char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (!end)
    return 0;
  size_t head = end + 4 - bytes;
  end[2] = 0;
  char *content_length = strcasestr(bytes, "content-length:");
  end[2] = '\r';
  if (strncmp(bytes, "HTTP/1.1 200", 12) != 0 || !content_length) {
    fail(c);
    return 0;
  }
  size_t body = strtoul(content_length + 15, NULL, 10);
  if (length < head + body)
    return 0;
  answered(c, NULL, 0);
  return head + body;
}

/* ---- WebSocket ---- */

static const unsigned char MASK[4] = {0x37, 0xfa, 0x21, 0x3d}; /* not zero: some servers skip unmasking then */

static void ask_frame(struct connection *c, uint64_t number) {
  number_message(number);
  unsigned char *frame = (unsigned char *)reserve(&c->out, message_size + 8);
  size_t head = 2;
  frame[0] = 0x81;
  if (message_size < 126) {
    frame[1] = 0x80 | message_size;
  } else {
    frame[1] = 0x80 | 126;
    frame[2] = message_size >> 8;
    frame[3] = message_size;
    head = 4;
  }
  memcpy(frame + head, MASK, 4);
  head += 4;
  for (int i = 0; i < message_size; i++)
    frame[head + i] = message[i] ^ MASK[i & 3];
  c->out.length += head + message_size;
}

static void handshake(struct connection *c) {
  char *to = reserve(&c->out, 512);
  c->out.length += snprintf(to, 512,
                            "GET / HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                            host, port);
  flush_out(c);
}

/* Takes the server's half of the handshake; returns the bytes it had. */
static size_t shake_hands(struct connection *c, char *bytes, size_t length) {
  char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (!end)
    return 0;
  if (strncmp(bytes, "HTTP/1.1 101", 12) != 0) {
    fail(c);
    return 0;
  }
  c->is_open = true;
  return end + 4 - bytes;
}

/* Finds the text of a server's frame; returns the frame's length, 0 when it is not whole. Control frames have no text. */
static size_t read_frame(struct connection *c, char *bytes, size_t length, char **text, size_t *text_length) {
  unsigned char *frame = (unsigned char *)bytes;
  if (length < 4)
    return 0;
  size_t head = 2, size = frame[1] & 127;
  if (size == 126) {
    size = frame[2] << 8 | frame[3];
    head = 4;
  }
  if (length < head + size)
    return 0;
  int opcode = frame[0] & 15;
  *text = opcode == 1 || opcode == 2 ? bytes + head : NULL;
  *text_length = size;
  if (opcode == 8 || (frame[1] & 127) == 127)
    fail(c);
  return head + size;
}

static size_t answer_frame(struct connection *c, char *bytes, size_t length) {
  char *text;
  size_t text_length, used = read_frame(c, bytes, length, &text, &text_length);
  if (used > 0 && text)
    answered(c, text, text_length);
  return used;
}

/* ---- publish: connection 0 sends, all the others receive ---- */

static int deliveries_left;

static void publish_next(void) {
  struct connection *sender = &connections[0];
  deliveries_left = num_connections - 1;
  ask_next(sender);
  flush_out(sender);
}

static size_t answer_publish(struct connection *c, char *bytes, size_t length) {
  char *text;
  size_t text_length, used = read_frame(c, bytes, length, &text, &text_length);
  if (used == 0 || !text || c == &connections[0])
    return used;
  check_message(c->received++, text, text_length);
  count_message(clock_ns - connections[0].sent_at[0]);
  if (--deliveries_left == 0)
    publish_next();
  return used;
}

/* ---- udp ---- */

static void ask_datagram(struct connection *c, uint64_t number) {
  number_message(number);
  send(c->fd, message, message_size, 0); /* what cannot be sent is found lost */
}

static void read_datagrams(struct connection *c) {
  char bytes[MAX_MESSAGE];
  for (ssize_t length; (length = recv(c->fd, bytes, sizeof bytes, 0)) >= NUMBER_DIGITS;) {
    char digits[NUMBER_DIGITS + 1] = {0};
    memcpy(digits, bytes, NUMBER_DIGITS);
    uint64_t number = strtoull(digits, NULL, 16);
    if (number < c->first)
      continue;
    check_message(number, bytes, length);
    count_message(clock_ns - c->sent_at[number % inflight]);
    c->received++;
    c->last_at = clock_ns;
    ask_next(c);
  }
}

/* Goes on where nothing comes back any more. */
static void replace_lost(struct connection *c) {
  if (clock_ns - c->last_at < LOST_AFTER_NS)
    return;
  errors += c->sent - c->received;
  c->first = c->received = c->sent;
  c->last_at = clock_ns;
  ask_all(c);
}

/* ---- */

static const struct mode MODES[] = {
    {"tcp", SOCK_STREAM, false, ask_line, answer_line},
    {"udp", SOCK_DGRAM, false, ask_datagram, NULL},
    {"http", SOCK_STREAM, false, ask_request, answer_response},
    {"ws-echo", SOCK_STREAM, true, ask_frame, answer_frame},
    {"ws-publish", SOCK_STREAM, true, ask_frame, answer_publish},
};
#define UDP (&MODES[1])
#define WS_PUBLISH (&MODES[4])

static void read_stream(struct connection *c) {
  char *to = reserve(&c->in, READ_BYTES + 1);
  ssize_t n = recv(c->fd, to, READ_BYTES, 0);
  if (n <= 0) {
    if (n == 0 || errno != EAGAIN)
      fail(c);
    return;
  }
  c->in.length += n;
  c->in.bytes[c->in.length] = 0; /* for the functions that look for text */
  size_t done = 0;
  if (!c->is_open) {
    done = shake_hands(c, c->in.bytes, c->in.length);
    if (c->is_open && mode != WS_PUBLISH)
      ask_all(c);
  }
  while (c->is_open && !c->has_failed) {
    size_t used = mode->answer(c, c->in.bytes + done, c->in.length - done);
    if (used == 0)
      break;
    done += used;
  }
  drop_front(&c->in, done);
  if (!c->has_failed && c->out.length > 0 && !c->wants_write)
    flush_out(c);
}

static void open_connection(struct connection *c) {
  struct sockaddr_in address = {AF_INET, htons(port), {0}, {0}};
  inet_pton(AF_INET, host, &address.sin_addr);
  c->fd = socket(AF_INET, mode->socket_type, 0);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) {
    perror("connect");
    exit(3);
  }
  int on = 1;
  if (mode->socket_type == SOCK_STREAM)
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->sent_at = calloc(inflight, sizeof *c->sent_at);
  c->is_open = !mode->has_handshake;
  c->last_at = clock_ns;
  watch(c, EPOLL_CTL_ADD);
  if (mode->has_handshake)
    handshake(c);
}

static void run_until(uint64_t end) {
  struct epoll_event events[512];
  while ((clock_ns = now_ns()) < end) {
    int count = epoll_wait(epoll, events, 512, 10);
    for (int i = 0; i < count; i++) {
      struct connection *c = &connections[events[i].data.u32];
      clock_ns = now_ns();
      if (c->has_failed)
        continue;
      if (mode == UDP) {
        read_datagrams(c);
        continue;
      }
      if (events[i].events & EPOLLOUT)
        flush_out(c);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_stream(c);
    }
    if (mode == UDP)
      for (int i = 0; i < num_connections; i++)
        replace_lost(&connections[i]);
  }
}

static bool are_open(void) {
  for (int i = 0; i < num_connections; i++)
    if (!connections[i].is_open)
      return false;
  return true;
}

static int usage(const char *what, const char *value) {
  fprintf(stderr, "loadgen: %s %s\nusage: loadgen tcp|udp|http|ws-echo|ws-publish --port P [--conns N] [--inflight N] "
                  "[--size BYTES] [--seconds S] [--warmup S] [--pid PID]\n", what, value);
  return 2;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
    if (!strcmp(name, MODES[i].name))
      mode = &MODES[i];
  if (!mode)
    return usage("unknown mode", name);
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *key = argv[i], *value = argv[i + 1];
    if (!strcmp(key, "--port"))
      port = atoi(value);
    else if (!strcmp(key, "--conns"))
      num_connections = atoi(value);
    else if (!strcmp(key, "--inflight"))
      inflight = atoi(value);
    else if (!strcmp(key, "--size"))
      message_size = atoi(value);
    else if (!strcmp(key, "--seconds"))
      seconds = atof(value);
    else if (!strcmp(key, "--warmup"))
      warmup_seconds = atof(value);
    else if (!strcmp(key, "--pid"))
      server_pid = atoi(value);
    else
      return usage("unknown option", key);
  }
  if (port <= 0 || num_connections < 1 || inflight < 1 || message_size < NUMBER_DIGITS || message_size >= MAX_MESSAGE)
    return usage("cannot use", "these numbers");
  if (mode == WS_PUBLISH) {
    num_connections++;
    inflight = 1;
  }

  memset(message, 'x', sizeof message);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  epoll = epoll_create1(0);
  connections = calloc(num_connections, sizeof *connections);
  clock_ns = now_ns();
  for (int i = 0; i < num_connections; i++)
    open_connection(&connections[i]);
  for (int i = 0; i < num_connections && !mode->has_handshake; i++)
    ask_all(&connections[i]);
  for (int tries = 0; !are_open(); tries++) {
    if (tries == 1000) {
      fprintf(stderr, "loadgen: the handshakes did not finish in 10 s\n");
      return 3;
    }
    run_until(now_ns() + 10000000);
  }
  if (mode == WS_PUBLISH)
    publish_next();

  run_until(now_ns() + warmup_seconds * SECOND_NS);
  is_measuring = true;
  uint64_t start = now_ns();
  double server_cpu = server_cpu_seconds(), own_cpu = own_cpu_seconds();
  run_until(start + seconds * SECOND_NS);
  double elapsed = (now_ns() - start) / SECOND_NS;
  server_cpu = server_cpu_seconds() - server_cpu;
  own_cpu = own_cpu_seconds() - own_cpu;
  printf("{\"messages\":%llu,\"messagesPerSecond\":%.0f,\"serverCpuMicros\":%.4f,\"serverBusy\":%.3f,\"generatorBusy\":%.3f,"
         "\"p50Micros\":%.1f,\"p99Micros\":%.1f,\"errors\":%llu}\n",
         (unsigned long long)messages, messages / elapsed, messages ? server_cpu * 1e6 / messages : 0, server_cpu / elapsed,
         own_cpu / elapsed, percentile_us(0.5), percentile_us(0.99), (unsigned long long)errors);
  return 0;
}
