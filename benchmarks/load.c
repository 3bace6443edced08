/* Load over HTTP/1.1 keep-alive from one thread, cheap enough to leave the processors to whom is measured.
 *
 *   load HOST PORT REQUESTS CLIENTS SECONDS WARM_UP RATE
 *
 * REQUESTS is a file of requests, each a little-endian u32 length and the bytes. With RATE 0 each client sends its next
 * request when the last one is answered. With a RATE, requests arrive at random moments, so many a second, whether the
 * others are answered or not, and wait for a free client; their time runs from the arrival. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { TIMER = -1, BUFFER = 1 << 16 };

struct client {
    int fd, busy, next;
    double since;
    size_t filled, room;
    char *buffer;
};

static struct { const char *bytes; size_t length; } *requests;
static size_t request_count;
static struct client *clients;
static struct sockaddr_in server;
static int poller, *idle, idle_count;
static double start, end_, rate;
static double *latencies, *waiting;
static size_t kept, kept_room, waiting_first, waiting_count, waiting_room;
static long all_answers, failures;
static char first_failure[400];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) { perror(what); exit(1); }

static void fail(const char *text, size_t length) {
    if (failures++ == 0) snprintf(first_failure, sizeof first_failure, "%.*s", (int)(length < 300 ? length : 300), text);
}

static void keep(double seconds) {
    if (kept == kept_room) {
        kept_room = kept_room ? kept_room * 2 : 1 << 16;
        if (!(latencies = realloc(latencies, kept_room * sizeof *latencies))) die("realloc");
    }
    latencies[kept++] = seconds;
}

static void open_client(struct client *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = (int)(c - clients)};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
    c->filled = 0;
}

static void send_next(struct client *c, double since) {
    if (c->fd < 0) open_client(c);
    c->next = (c->next + 1) % (int)request_count;
    c->busy = 1;
    c->since = since;
    const char *bytes = requests[c->next].bytes;
    size_t left = requests[c->next].length;
    while (left) {
        ssize_t sent = send(c->fd, bytes, left, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return; /* the end of the connection will be read */
        if (sent > 0) bytes += sent, left -= (size_t)sent;
    }
}

/* The length of the whole answer in the buffer, 0 while it is not whole. */
static size_t whole(struct client *c) {
    char *head = memmem(c->buffer, c->filled, "\r\n\r\n", 4);
    if (!head) return 0;
    *head = 0;
    char *length = strcasestr(c->buffer, "\ncontent-length:");
    *head = '\r';
    if (!length) { fprintf(stderr, "an answer without Content-Length\n"); exit(1); }
    size_t total = (size_t)(head + 4 - c->buffer) + strtoul(length + 16, NULL, 10);
    return c->filled >= total ? total : 0;
}

static void answered(struct client *c, double t) {
    all_answers++;
    if (memcmp(c->buffer + 9, "200", 3)) fail(c->buffer, c->filled);
    else if (t >= start && t <= end_) keep(t - c->since);
    c->filled = 0;
    c->busy = 0;
    if (rate == 0) {
        if (t < end_) send_next(c, t);
    } else if (waiting_count) {
        double since = waiting[waiting_first];
        waiting_first = (waiting_first + 1) % waiting_room;
        waiting_count--;
        send_next(c, since);
    } else idle[idle_count++] = (int)(c - clients);
}

static void readable(struct client *c) {
    ssize_t got = recv(c->fd, c->buffer + c->filled, c->room - c->filled - 1, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        close(c->fd);
        c->fd = -1;
        if (!c->busy) return; /* the server does not keep what is idle; it is opened again when needed */
        fail("connection lost", 15);
        c->busy = 0;
        if (rate == 0) send_next(c, now());
        else idle[idle_count++] = (int)(c - clients);
        return;
    }
    c->filled += (size_t)got;
    c->buffer[c->filled] = 0;
    if (whole(c)) answered(c, now());
    else if (c->filled + 1 >= c->room && !(c->buffer = realloc(c->buffer, c->room *= 2))) die("realloc");
}

static void arrive(double since) {
    if (idle_count) { send_next(&clients[idle[--idle_count]], since); return; }
    if (waiting_count == waiting_room) { fail("too many requests wait for a client", 35); return; }
    waiting[(waiting_first + waiting_count++) % waiting_room] = since;
}

static double until_next(void) { return -log(1.0 - drand48()) / rate; }

static void arm(int timer, double at) {
    struct itimerspec when = {.it_value = {(time_t)at, (long)((at - floor(at)) * 1e9)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void read_requests(const char *path) {
    FILE *file = fopen(path, "rb");
    uint32_t length;
    if (!file) die(path);
    while (fread(&length, 4, 1, file) == 1) {
        char *bytes = malloc(length);
        if (!bytes || fread(bytes, 1, length, file) != length) die(path);
        if (!(requests = realloc(requests, (request_count + 1) * sizeof *requests))) die("realloc");
        requests[request_count].bytes = bytes;
        requests[request_count++].length = length;
    }
    fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 8) { fprintf(stderr, "HOST PORT REQUESTS CLIENTS SECONDS WARM_UP RATE\n"); return 2; }
    int count = atoi(argv[4]);
    double seconds = atof(argv[5]), warm_up = atof(argv[6]);
    rate = atof(argv[7]);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) die(argv[1]);
    read_requests(argv[3]);
    waiting_room = rate > 0 ? (size_t)(rate * 30) + 64 : 1;
    clients = calloc((size_t)count, sizeof *clients);
    idle = calloc((size_t)count, sizeof *idle);
    waiting = calloc(waiting_room, sizeof *waiting);
    poller = epoll_create1(0);
    if (!clients || !idle || !waiting || poller < 0 || !request_count) die("start");
    for (int i = 0; i < count; i++) {
        clients[i].room = BUFFER;
        clients[i].buffer = malloc(BUFFER);
        clients[i].next = i * 7 % (int)request_count;
        open_client(&clients[i]);
    }
    start = now() + warm_up;
    end_ = start + seconds;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    double next = now();
    if (rate > 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = TIMER};
        epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
        for (int i = 0; i < count; i++) idle[idle_count++] = i;
        arm(timer, next += until_next());
    } else
        for (int i = 0; i < count; i++) send_next(&clients[i], now());
    struct epoll_event events[256];
    for (;;) {
        int under_way = (int)waiting_count;
        for (int i = 0; i < count; i++) under_way += clients[i].busy;
        if (now() > end_ && (!under_way || now() > end_ + 60)) break;
        int ready = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != TIMER) { readable(&clients[events[i].data.fd]); continue; }
            uint64_t fired;
            if (read(timer, &fired, 8) < 0) continue;
            while (next <= now() && next < end_) arrive(next), next += until_next();
            if (next < end_) arm(timer, next);
        }
    }
    qsort(latencies, kept, sizeof *latencies, ascending);
    printf("{\"clients\": %d, \"requests_per_second\": %.1f, ", count, kept / seconds);
    if (kept)
        printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f, ", latencies[kept / 2] * 1e3, latencies[kept * 99 / 100] * 1e3);
    else
        printf("\"p50_ms\": null, \"p99_ms\": null, ");
    for (char *p = first_failure; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 32) *p = ' ';
    printf("\"answers\": %zu, \"all_answers\": %ld, ", kept, all_answers);
    printf("\"failures\": %ld, \"first_failure\": \"%s\"}\n", failures, first_failure);
    return 0;
}
