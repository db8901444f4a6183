// loadgen: a small single-threaded epoll load generator for echo and fan-out servers.
// Modes: tcp (lines ended by CRLF), udp, ws-echo, ws-fanout, http, connect, idle.
// Every reply is compared with what was sent; a mismatch counts as an error.
// Prints one JSON line. Server CPU is read from /proc/PID/stat of --pid and all its descendants.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { TCP, UDP, WSECHO, WSFAN, HTTP, CONNECT, IDLE };
static const char *mode_names[] = {"tcp", "udp", "ws-echo", "ws-fanout", "http", "connect", "idle"};
static struct {
  enum mode mode;
  const char *host;
  int port;
  const char *path;
  int conns, inflight, size;
  double seconds, warmup;
  int pids[64], npids;
  const char *hello;
} opt = {TCP, "127.0.0.1", 0, "/", 50, 1, 64, 4, 1, {0}, 0, 0};

typedef struct {
  int fd;
  char *in;
  size_t inlen, incap;
  char *out;
  size_t outlen, outoff, outcap;
  uint64_t sent, got;
  uint64_t *t;
  int established, dead;
  uint64_t skip;
} conn;
static conn *C;
static int ep;
static uint64_t total, errors, measuring;
static uint64_t hist[64 * 32];
static uint64_t fan_round, fan_left;
static uint64_t fan_t;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void lat(uint64_t ns) {
  uint64_t us10 = ns / 100 + 1;
  int b = 63 - __builtin_clzll(us10);
  int s = b >= 5 ? (us10 >> (b - 5)) & 31 : 0;
  hist[b * 32 + s]++;
}
static double pct(double p) {
  uint64_t n = 0, c = 0;
  for (int i = 0; i < 64 * 32; i++)
    n += hist[i];
  for (int i = 0; i < 64 * 32; i++) {
    c += hist[i];
    if (c >= n * p && c) {
      int b = i / 32, s = i % 32;
      double v = b >= 5 ? (double)((32ull + s) << (b - 5)) : (1ull << b);
      return v / 10;
    }
  }
  return 0;
}
static int is_desc(int pid) {
  int seen = 0;
  while (pid > 1 && seen++ < 20) {
    for (int i = 0; i < opt.npids; i++)
      if (opt.pids[i] == pid)
        return 1;
    char p[64], b[512];
    snprintf(p, 64, "/proc/%d/stat", pid);
    FILE *f = fopen(p, "r");
    if (!f)
      return 0;
    size_t n = fread(b, 1, 511, f);
    fclose(f);
    b[n] = 0;
    char *q = strrchr(b, ')');
    if (!q)
      return 0;
    sscanf(q + 4, "%d", &pid);
  }
  return 0;
}
static double cpu(long *rss) { // seconds of CPU over the pids and their descendants
  double s = 0;
  *rss = 0;
  if (!opt.npids)
    return 0;
  DIR *d = opendir("/proc");
  struct dirent *e;
  long hz = sysconf(_SC_CLK_TCK);
  while ((e = readdir(d))) {
    int pid = atoi(e->d_name);
    if (pid <= 0 || !is_desc(pid))
      continue;
    char p[64], b[1024];
    snprintf(p, 64, "/proc/%d/stat", pid);
    FILE *f = fopen(p, "r");
    if (!f)
      continue;
    size_t n = fread(b, 1, 1023, f);
    fclose(f);
    b[n] = 0;
    char *q = strrchr(b, ')');
    unsigned long u, k;
    long r;
    if (q && sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
                    &u, &k, &r) == 3) {
      s += (double)(u + k) / hz;
      *rss += r * 4;
    }
  }
  closedir(d);
  return s;
}
static void put(conn *c, const void *p, size_t n) {
  if (c->outlen + n > c->outcap) {
    c->outcap = (c->outlen + n) * 2;
    c->out = realloc(c->out, c->outcap);
  }
  memcpy(c->out + c->outlen, p, n);
  c->outlen += n;
}
static void flush(conn *c) {
  while (c->outoff < c->outlen) {
    ssize_t n = send(c->fd, c->out + c->outoff, c->outlen - c->outoff, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) {
        struct epoll_event ev = {EPOLLIN | EPOLLOUT, {.u32 = c - C}};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
        return;
      }
      c->dead = 1;
      errors++;
      return;
    }
    c->outoff += n;
  }
  c->outoff = c->outlen = 0;
  struct epoll_event ev = {EPOLLIN, {.u32 = c - C}};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}
static char body[1 << 20];
static int payload(uint64_t seq) {
  char h[20];
  snprintf(h, 20, "%016llx", (unsigned long long)seq);
  int n = opt.size < 16 ? 16 : opt.size;
  memset(body, 'x', n);
  memcpy(body, h, 16);
  return n;
}
static void ws_put(conn *c, const char *p, size_t n) {
  unsigned char h[14];
  int k = 2;
  h[0] = 0x81;
  if (n < 126)
    h[1] = 0x80 | n;
  else if (n < 65536) {
    h[1] = 0x80 | 126;
    h[2] = n >> 8;
    h[3] = n;
    k = 4;
  } else {
    h[1] = 0x80 | 127;
    for (int i = 0; i < 8; i++)
      h[2 + i] = (uint64_t)n >> (56 - 8 * i);
    k = 10;
  }
  h[k] = h[k + 1] = h[k + 2] = h[k + 3] = 0;
  put(c, h, k + 4);
  put(c, p, n);
}
static void send_one(conn *c) {
  uint64_t s = c->sent++;
  c->t[s % opt.inflight] = now();
  int n = payload(s);
  if (opt.mode == TCP) {
    put(c, body, n);
    put(c, "\r\n", 2);
  } else if (opt.mode == WSECHO)
    ws_put(c, body, n);
  else if (opt.mode == HTTP) {
    char r[512];
    int k = snprintf(r, 512, "GET %s HTTP/1.1\r\nHost: %s:%d\r\n\r\n", opt.path, opt.host, opt.port);
    put(c, r, k);
  }
}
static void got_one(conn *c, const char *p, size_t n) {
  uint64_t s = c->got++;
  if (p) {
    int m = payload(s);
    if ((size_t)m != n || memcmp(p, body, n))
      errors++;
  }
  uint64_t t = now();
  if (measuring) {
    total++;
    lat(t - c->t[s % opt.inflight]);
  }
  send_one(c);
}
static void fan_send(void) {
  conn *c = &C[opt.conns];
  int n = payload(fan_round++);
  fan_left = opt.conns;
  fan_t = now();
  ws_put(c, body, n);
  flush(c);
}
static int frame(conn *c, char **p, size_t *n, size_t *used, size_t off) {
  unsigned char *b = (unsigned char *)c->in + off;
  size_t len = c->inlen - off;
  if (len < 2)
    return 0;
  uint64_t l = b[1] & 127;
  size_t h = 2;
  if (l == 126) {
    if (len < 4)
      return 0;
    l = b[2] << 8 | b[3];
    h = 4;
  } else if (l == 127) {
    if (len < 10)
      return 0;
    l = 0;
    for (int i = 0; i < 8; i++)
      l = l << 8 | b[2 + i];
    h = 10;
  }
  if (len < h + l)
    return 0;
  *p = (char *)b + h;
  *n = l;
  *used = h + l;
  return b[0] & 15;
}
static void parse(conn *c) {
  size_t off = 0;
  if (c->established == 0) {
    char *e = memmem(c->in, c->inlen, "\r\n\r\n", 4);
    if (!e)
      return;
    if (strncmp(c->in, "HTTP/1.1 101", 12)) {
      errors++;
      c->dead = 1;
      return;
    }
    off = e + 4 - c->in;
    c->established = 1;
    if (opt.mode == WSECHO)
      for (int i = 0; i < opt.inflight; i++)
        send_one(c);
  }
  for (;;) {
    if (opt.mode == TCP) {
      char *e = memmem(c->in + off, c->inlen - off, "\r\n", 2);
      if (!e)
        break;
      size_t n = e - (c->in + off);
      if (c->skip) {
        c->skip--;
      } else
        got_one(c, c->in + off, n);
      off += n + 2;
    } else if (opt.mode == HTTP) {
      char *s = c->in + off;
      char *e = memmem(s, c->inlen - off, "\r\n\r\n", 4);
      if (!e)
        break;
      char sv = e[2];
      e[2] = 0;
      char *cl = strcasestr(s, "content-length:");
      char *te = strcasestr(s, "chunked");
      e[2] = sv;
      size_t n, h = e + 4 - s;
      if (cl)
        n = strtoul(cl + 15, 0, 10);
      else if (te) {
        char *z = memmem(e + 4, c->inlen - off - h, "0\r\n\r\n", 5);
        if (!z)
          break;
        n = z + 5 - (e + 4);
      } else
        n = 0;
      if (c->inlen - off < h + n)
        break;
      if (strncmp(s, "HTTP/1.1 200", 12))
        errors++;
      got_one(c, 0, 0);
      off += h + n;
    } else {
      char *p;
      size_t n, u;
      int op = frame(c, &p, &n, &u, off);
      if (!op)
        break;
      off += u;
      if (op == 8) {
        c->dead = 1;
        errors++;
        break;
      }
      if (op != 1 && op != 2)
        continue;
      if (opt.mode == WSECHO) {
        if (c->skip)
          c->skip--;
        else
          got_one(c, p, n);
      } else if (opt.mode == WSFAN && c != &C[opt.conns]) {
        char h[20];
        snprintf(h, 20, "%016llx", (unsigned long long)(fan_round - 1));
        if (n < 16 || !memmem(p, n, h, 16)) {
          continue;
        }
        if (measuring) {
          total++;
          lat(now() - fan_t);
        }
        if (--fan_left == 0)
          fan_send();
      }
    }
  }
  if (off) {
    memmove(c->in, c->in + off, c->inlen - off);
    c->inlen -= off;
  }
  if (c->outlen)
    flush(c);
}
static void readc(conn *c) {
  for (;;) {
    if (c->incap - c->inlen < 65536) {
      c->incap = c->incap * 2 + 131072;
      c->in = realloc(c->in, c->incap);
    }
    ssize_t n = recv(c->fd, c->in + c->inlen, c->incap - c->inlen - 1, 0);
    if (n > 0) {
      c->inlen += n;
      if (n < 65536)
        break;
    } else if (n == 0) {
      c->dead = 1;
      errors++;
      return;
    } else {
      if (errno != EAGAIN) {
        c->dead = 1;
        errors++;
      }
      break;
    }
  }
  c->in[c->inlen] = 0;
  parse(c);
}
static int dial(int type) {
  static int k;
  int fd = socket(AF_INET, type, 0);
  if (type == SOCK_STREAM && opt.conns > 20000) {
    struct sockaddr_in l = {AF_INET, 0, {htonl(0x7f000001 + ++k % 8)}};
    int one = 1;
    setsockopt(fd, SOL_IP, 24, &one, sizeof one);
    bind(fd, (void *)&l, sizeof l);
  }
  struct sockaddr_in a = {AF_INET, htons(opt.port), {0}};
  inet_pton(AF_INET, opt.host, &a.sin_addr);
  if (connect(fd, (void *)&a, sizeof a)) {
    perror("connect");
    exit(3);
  }
  int one = 1;
  if (type == SOCK_STREAM)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}
static void report(double secs, double cpu_s, long rss) {
  printf("{\"mode\":\"%s\",\"conns\":%d,\"inflight\":%d,\"size\":%d,\"msgs\":%llu,\"seconds\":%.2f,\"msgs_per_s\":%.0f,"
         "\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,\"server_cpu_us_per_msg\":%.3f,\"server_rss_kb\":%ld,"
         "\"errors\":%llu}\n",
         mode_names[opt.mode], opt.conns, opt.inflight, opt.size, (unsigned long long)total, secs, total / secs,
         pct(.5), pct(.99), pct(.999), total ? cpu_s * 1e6 / total : 0, rss, (unsigned long long)errors);
}
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
    if (a[0] != '-') {
      int k;
      for (k = 0; k < 7 && strcmp(a, mode_names[k]); k++)
        ;
      if (k == 7) {
        fprintf(stderr, "unknown mode %s\n", a);
        return 2;
      }
      opt.mode = k;
      continue;
    }
    i++;
    if (!strcmp(a, "--host"))
      opt.host = v;
    else if (!strcmp(a, "--port"))
      opt.port = atoi(v);
    else if (!strcmp(a, "--path"))
      opt.path = v;
    else if (!strcmp(a, "--conns"))
      opt.conns = atoi(v);
    else if (!strcmp(a, "--inflight"))
      opt.inflight = atoi(v);
    else if (!strcmp(a, "--size"))
      opt.size = atoi(v);
    else if (!strcmp(a, "--seconds"))
      opt.seconds = atof(v);
    else if (!strcmp(a, "--warmup"))
      opt.warmup = atof(v);
    else if (!strcmp(a, "--skip"))
      opt.hello = v;
    else if (!strcmp(a, "--pid")) {
      for (char *s = strtok(strdup(v), ","); s; s = strtok(0, ","))
        opt.pids[opt.npids++] = atoi(s);
    } else {
      fprintf(stderr, "unknown option %s\n", a);
      return 2;
    }
  }
  if (!opt.port) {
    fprintf(stderr, "usage: loadgen MODE --port P [--host --path --conns --inflight --size --seconds --warmup --skip "
                    "GREETING_MESSAGES --pid PID,...]\n");
    return 2;
  }
  struct rlimit rl = {1 << 20, 1 << 20};
  setrlimit(RLIMIT_NOFILE, &rl);
  ep = epoll_create1(0);
  int n = opt.conns + (opt.mode == WSFAN);
  C = calloc(n, sizeof *C);
  long rss;
  double c0 = 0, c1;
  if (opt.mode == CONNECT) {
    uint64_t t0 = now(), end = t0 + opt.seconds * 1e9;
    measuring = 1;
    c0 = cpu(&rss);
    while (now() < end) {
      uint64_t t = now();
      int fd = dial(SOCK_STREAM);
      fcntl(fd, F_SETFL, 0);
      int k = payload(total);
      memcpy(body + k, "\r\n", 2);
      send(fd, body, k + 2, MSG_NOSIGNAL);
      char b[4096];
      int got = 0;
      while (got < k + 2) {
        int r = recv(fd, b + got, sizeof b - got, 0);
        if (r <= 0) {
          errors++;
          break;
        }
        got += r;
      }
      struct linger lg = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
      close(fd);
      total++;
      lat(now() - t);
    }
    c1 = cpu(&rss);
    report((now() - t0) / 1e9, c1 - c0, rss);
    return errors > 0;
  }
  for (int i = 0; i < n; i++) {
    conn *c = &C[i];
    c->fd = dial(opt.mode == UDP ? SOCK_DGRAM : SOCK_STREAM);
    c->t = calloc(opt.inflight, 8);
    c->established = !(opt.mode == WSECHO || opt.mode == WSFAN);
    c->skip = opt.hello ? atoi(opt.hello) : 0;
    struct epoll_event ev = {EPOLLIN, {.u32 = i}};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
    if (!c->established) {
      char r[512];
      int k = snprintf(r, 512,
                       "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: "
                       "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                       opt.path, opt.host, opt.port);
      put(c, r, k);
      flush(c);
    }
  }
  if (opt.mode == IDLE) {
    sleep(1);
    cpu(&rss);
    long r0 = rss;
    sleep((int)opt.seconds);
    cpu(&rss);
    printf("{\"mode\":\"idle\",\"conns\":%d,\"server_rss_kb\":%ld,\"server_rss_kb_1s\":%ld}\n", n, rss, r0);
    return 0;
  }
  if (opt.mode == TCP || opt.mode == HTTP)
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < opt.inflight; k++)
        send_one(&C[i]);
      flush(&C[i]);
    }
  uint64_t start = now(), m0 = 0, end = 0;
  int fan_started = 0;
  struct epoll_event ev[512];
  uint64_t tick = start;
  if (opt.mode == UDP)
    for (int i = 0; i < n; i++)
      for (int k = 0; k < opt.inflight; k++) {
        conn *c = &C[i];
        c->t[k] = now();
        int z = payload(k);
        c->sent++;
        send(c->fd, body, z, 0);
      }
  for (;;) {
    int k = epoll_wait(ep, ev, 512, 10);
    uint64_t t = now();
    for (int i = 0; i < k; i++) {
      conn *c = &C[ev[i].data.u32];
      if (c->dead)
        continue;
      if (opt.mode == UDP) {
        char b[65536];
        ssize_t r;
        while ((r = recv(c->fd, b, sizeof b, 0)) >= 0) {
          char h[17];
          memcpy(h, b, 16);
          h[16] = 0;
          uint64_t s = strtoull(h, 0, 16);
          int m = payload(s);
          if (r != m || memcmp(b, body, m))
            errors++;
          if (measuring) {
            total++;
            lat(now() - c->t[s % opt.inflight]);
          }
          c->got++;
          int z = payload(c->sent);
          c->t[c->sent % opt.inflight] = now();
          c->sent++;
          send(c->fd, body, z, 0);
        }
        continue;
      }
      if (ev[i].events & EPOLLOUT)
        flush(c);
      if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        readc(c);
      if (c->dead)
        close(c->fd);
    }
    if (opt.mode == UDP && t - tick > 20000000) {
      tick = t;
      for (int i = 0; i < n; i++) {
        conn *c = &C[i];
        while (c->sent - c->got < (uint64_t)opt.inflight) {
          int z = payload(c->sent);
          c->t[c->sent % opt.inflight] = now();
          c->sent++;
          send(c->fd, body, z, 0);
        }
        if (t - c->t[(c->sent - 1) % opt.inflight] > 200000000) {
          errors += c->sent - c->got;
          c->got = c->sent - opt.inflight + 0;
          c->got = c->sent;
          for (int q = 0; q < opt.inflight; q++) {
            int z = payload(c->sent);
            c->t[c->sent % opt.inflight] = now();
            c->sent++;
            send(c->fd, body, z, 0);
          }
        }
      }
    }
    if (opt.mode == WSFAN && !fan_started) {
      int ok = 1;
      for (int i = 0; i < n; i++)
        ok &= C[i].established;
      if (ok) {
        fan_started = 1;
        usleep(200000);
        start = now();
        fan_send();
      } else if (t - start > 10e9) {
        fprintf(stderr, "handshakes did not finish\n");
        return 3;
      } else
        start = t - 0;
    }
    if (!measuring && t - start > opt.warmup * 1e9) {
      measuring = 1;
      m0 = now();
      end = m0 + opt.seconds * 1e9;
      c0 = cpu(&rss);
    }
    if (measuring && t > end)
      break;
  }
  c1 = cpu(&rss);
  report((now() - m0) / 1e9, c1 - c0, rss);
  return errors > 0;
}
