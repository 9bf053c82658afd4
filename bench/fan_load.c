/* The load of the fan-out figures: many WebSocket clients in one thread, so cheap that the server is what is measured.
 *
 * fan_load PORT CONTROL_PORT raw|ws PATH SUBPROTOCOL READY SOURCE [HELLO ...]
 *   raw: no handshake. READY: text frames after which a socket is ready. SOURCE: the clients' own address. The first HELLO is sent
 *   after the handshake, each next one after a frame. CONTROL_PORT 0: nobody to ask and nothing to publish.
 * Orders, a line each on stdin, answered with one line of JSON:
 *   open N            N more sockets, ready, and known to the server
 *   deaf N            the same, and nothing is ever read from them again
 *   run K SECONDS     publishes K messages, waits until every socket has all, again and again
 *   record MARKER     from now on keeps (number after MARKER, nanoseconds) of every text that has it; answered by `stop`
 *   stop FILE         writes what was kept
 * A message holds '@' and 19 digits, the nanoseconds of CLOCK_MONOTONIC at which it was published. Build: cc -O2 -o fan_load fan_load.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 40000
#define ROOM (8 << 20)
#define AT_ONCE 100 /* handshakes under way */
#define BUCKETS (64 * 40)

struct client {
    int fd, frames, hello, upgraded, ready, deaf;
    char *rest; /* the beginning of a frame whose end is still to come */
    size_t rest_size;
};
struct kept { uint64_t key, ns; };

static struct client clients[MOST];
static int count, ready, upgraded, poll_fd, control = -1, raw, port, wanted_frames, hellos;
static char **hello, *path, *protocol, *source, *buffer, *marker;
static uint64_t delivered, latency[BUCKETS], slowest;
static struct kept *kept;
static size_t kept_count, kept_room;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u + (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void fail(const char *why) {
    printf("{\"error\": \"%s: %s\"}\n", why, errno ? strerror(errno) : "");
    exit(1);
}

/* Sixty-four steps to each power of two: a latency is known to within 1.6 %. */
static void note(uint64_t us) {
    int power = us < 128 ? 0 : 63 - __builtin_clzll(us) - 6, at = power * 64 + (int)(us >> power);
    latency[at < BUCKETS ? at : BUCKETS - 1]++;
    if (us > slowest) slowest = us;
}

static uint64_t quantile(double share) {
    uint64_t all = 0, so_far = 0;
    for (int i = 0; i < BUCKETS; i++) all += latency[i];
    for (int i = 0; i < BUCKETS; i++)
        if (all && (so_far += latency[i]) >= share * (double)all) {
            int power = i < 128 ? 0 : i / 64 - 1;
            return (uint64_t)(i - power * 64) << power;
        }
    return 0;
}

static void say(int fd, int opcode, const char *text, size_t size) {
    char frame[4200];
    size_t head = size < 126 ? 2 : 4;
    if (size > 4096) fail("a frame is too long");
    frame[0] = (char)(0x80 | opcode);
    frame[1] = (char)(0x80 | (size < 126 ? size : 126));
    if (head == 4) frame[2] = (char)(size >> 8), frame[3] = (char)size;
    memset(frame + head, 0, 4); /* masked with nothing */
    memcpy(frame + head + 4, text, size);
    if (send(fd, frame, head + 4 + size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) fail("send");
}

static void greet(struct client *c) {
    if (c->hello < hellos) {
        say(c->fd, 1, hello[c->hello], strlen(hello[c->hello]));
        c->hello++;
    }
}

static void is_ready(struct client *c) {
    if (c->ready || !c->upgraded || c->frames < wanted_frames) return;
    c->ready = 1;
    ready++;
    if (c->deaf) epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
}

/* One JSON text, or one line of several that came together. */
static void text(struct client *c, const char *data, size_t size, uint64_t at) {
    if (size == 2 && !memcmp(data, "{}", 2)) {
        say(c->fd, 1, "{}", 2); /* may come before anything else */
    } else if (size == 1 && *data == '2') {
        say(c->fd, 1, "3", 1); /* Engine.IO's ping */
    } else if (!c->ready) {
        c->frames++;
        greet(c);
        is_ready(c);
    } else if (marker) {
        const char *found = memmem(data, size, marker, strlen(marker));
        if (!found) return;
        uint64_t key = 0;
        for (found += strlen(marker); found < data + size && *found >= '0' && *found <= '9'; found++) key = key * 10 + (uint64_t)(*found - '0');
        if (kept_count == kept_room) {
            kept_room = kept_room ? kept_room * 2 : 1 << 20;
            if (!(kept = realloc(kept, kept_room * sizeof *kept))) fail("memory");
        }
        kept[kept_count++] = (struct kept){key, at};
    } else {
        const char *stamp = memchr(data, '@', size < 40 ? size : 40);
        if (!stamp || stamp + 20 > data + size) return;
        uint64_t sent = 0;
        for (int i = 1; i < 20; i++) sent = sent * 10 + (uint64_t)(stamp[i] - '0');
        delivered++;
        note((at - sent) / 1000);
    }
}

static void closed(const char *data, size_t size) {
    printf("{\"error\": \"the server closed a socket: %d %.*s\"}\n", size < 2 ? 1005 : (unsigned char)data[0] << 8 | (unsigned char)data[1],
           size < 2 ? 0 : (int)size - 2, data + (size < 2 ? 0 : 2));
    exit(1);
}

/* The whole frames at the start of the data; how many bytes they were. */
static size_t frames(struct client *c, const char *data, size_t size, uint64_t at) {
    size_t used = 0;
    while (size - used >= 2) {
        const unsigned char *f = (const unsigned char *)data + used;
        size_t head = 2, length = f[1] & 127;
        if (length == 126) {
            if (size - used < (head = 4)) break;
            length = (size_t)f[2] << 8 | f[3];
        } else if (length == 127) {
            if (size - used < (head = 10)) break;
            length = 0;
            for (int i = 2; i < 10; i++) length = length << 8 | f[i];
        }
        if (size - used - head < length) break;
        int opcode = f[0] & 15;
        if (opcode == 1) {
            const char *line = (const char *)f + head, *end = line + length, *stop;
            for (; (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1) text(c, line, (size_t)(stop - line), at);
            text(c, line, (size_t)(end - line), at);
        }
        if (opcode == 9) say(c->fd, 10, (const char *)f + head, length);
        if (opcode == 8) closed((const char *)f + head, length);
        used += head + length;
    }
    return used;
}

/* Whether there may be more. */
static int heard(struct client *c) {
    size_t have = c->rest_size, used = 0, room = have ? ROOM - have : 262144;
    if (have) memcpy(buffer, c->rest, have);
    ssize_t got = recv(c->fd, buffer + have, room, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) fail("a connection ended");
    uint64_t at = now_ns();
    size_t size = have + (size_t)got;
    if (!c->upgraded) {
        char *end = memmem(buffer, size, "\r\n\r\n", 4);
        if (end) {
            if (!memmem(buffer, 20, " 101 ", 5)) fail("a socket was refused");
            used = (size_t)(end - buffer) + 4;
            c->upgraded = 1;
            upgraded++;
            greet(c);
            is_ready(c);
        }
    }
    if (c->upgraded) used += frames(c, buffer + used, size - used, at);
    free(c->rest);
    c->rest = NULL;
    if ((c->rest_size = size - used)) {
        if (c->rest_size >= ROOM || !(c->rest = malloc(c->rest_size))) fail("a frame is too long");
        memcpy(c->rest, buffer + used, c->rest_size);
    }
    return (size_t)got == room;
}

/* One look at what came. Whether an order waits on stdin. */
static int wait_ms(int ms) {
    static struct epoll_event events[512];
    int number = epoll_wait(poll_fd, events, 512, ms), order = 0;
    for (int i = 0; i < number; i++)
        if (!events[i].data.ptr) order = 1;
        else while (heard(events[i].data.ptr)) {}
    return order;
}

static int dial(int to, const char *from) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)to)};
    struct sockaddr_in here = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct linger reset = {1, 0}; /* thousands of ports in TIME_WAIT would be missing in the next run */
    if (fd < 0) fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (from) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        inet_aton(from, &here.sin_addr);
        if (bind(fd, (struct sockaddr *)&here, sizeof here)) fail("bind");
    }
    if (connect(fd, (struct sockaddr *)&there, sizeof there)) fail("connect");
    return fd;
}

static int known(void) {
    char line[100];
    size_t size = 0;
    if (write(control, "n", 1) != 1) fail("control");
    while (!size || line[size - 1] != '\n') {
        ssize_t got = read(control, line + size, sizeof line - 1 - size);
        if (got <= 0) fail("control");
        size += (size_t)got;
    }
    return atoi(line);
}

static void open_more(int number, int deaf) {
    char request[1000], named[200] = "";
    if (*protocol) snprintf(named, sizeof named, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        path, port, named);
    int goal = count + number, before_ready = ready, small = 4096;
    uint64_t began = now_ns(), last = began, used = cpu_us();
    if (goal > MOST) fail("too many sockets");
    while (ready < goal) {
        while (count < goal && count - ready < AT_ONCE) {
            struct client *c = &clients[count++];
            *c = (struct client){.fd = dial(port, *source ? source : NULL), .deaf = deaf, .upgraded = raw};
            if (deaf) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
            struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = c}; /* each arrival is told once: a fifth less CPU */
            epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
            if (!raw && send(c->fd, request, (size_t)size, MSG_NOSIGNAL) != size) fail("send");
            if (raw) is_ready(c);
        }
        wait_ms(100);
        if (ready != before_ready) before_ready = ready, last = now_ns();
        if (now_ns() - last > 30000000000u) fail("no more sockets became ready");
    }
    while (control >= 0 && known() < count) usleep(500); /* the system says yes to a connection before the server does */
    printf("{\"sockets\": %d, \"seconds\": %.6f, \"cpu_us\": %llu}\n", count, (double)(now_ns() - began) / 1e9, (unsigned long long)(cpu_us() - used));
}

static void run(int in_flight, double seconds) {
    char orders[1024];
    memset(orders, 'p', sizeof orders);
    memset(latency, 0, sizeof latency);
    delivered = slowest = 0;
    /* Whoever waits in the kernel for each message has the server pay for waking it, the more often the slower the server is. */
    const struct timespec pause = {0, 50000};
    uint64_t began = now_ns(), used = cpu_us(), rounds = 0;
    do {
        uint64_t goal = ++rounds * (uint64_t)in_flight * (uint64_t)count, before = delivered, last = now_ns();
        if (write(control, orders, (size_t)in_flight) != in_flight) fail("control");
        while (delivered < goal) {
            wait_ms(1000);
            if (delivered < goal) nanosleep(&pause, NULL);
            if (delivered != before) before = delivered, last = now_ns();
            else if (now_ns() - last > 20000000000u) fail("messages did not arrive");
        }
    } while ((double)(now_ns() - began) < seconds * 1e9);
    printf("{\"deliveries\": %llu, \"rounds\": %llu, \"seconds\": %.6f, \"cpu_us\": %llu, \"p50_us\": %llu, \"p99_us\": %llu, \"most_us\": %llu}\n",
           (unsigned long long)delivered, (unsigned long long)rounds, (double)(now_ns() - began) / 1e9, (unsigned long long)(cpu_us() - used),
           (unsigned long long)quantile(0.5), (unsigned long long)quantile(0.99), (unsigned long long)slowest);
}

static void stop(const char *file, uint64_t began, uint64_t used) {
    FILE *out = fopen(file, "wb");
    if (!out || fwrite(kept, sizeof *kept, kept_count, out) != kept_count || fclose(out)) fail("file");
    printf("{\"kept\": %zu, \"seconds\": %.6f, \"cpu_us\": %llu}\n", kept_count, (double)(now_ns() - began) / 1e9, (unsigned long long)(cpu_us() - used));
    kept_count = 0;
    free(marker);
    marker = NULL;
}

int main(int number, char **argument) {
    if (number < 8) return 2;
    port = atoi(argument[1]);
    raw = !strcmp(argument[3], "raw");
    path = argument[4], protocol = argument[5], wanted_frames = atoi(argument[6]), source = argument[7];
    hello = argument + 8, hellos = number - 8;
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    prctl(PR_SET_TIMERSLACK, 1000);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (!(buffer = malloc(ROOM))) return 1;
    poll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &event);
    if (atoi(argument[2])) control = dial(atoi(argument[2]), NULL);
    char line[1000], word[500];
    uint64_t began = 0, used = 0;
    for (;;) {
        int k;
        double seconds;
        while (!wait_ms(-1)) {}
        if (!fgets(line, sizeof line, stdin)) return 0;
        errno = 0;
        if (sscanf(line, "open %d", &k) == 1) open_more(k, 0);
        else if (sscanf(line, "deaf %d", &k) == 1) open_more(k, 1);
        else if (sscanf(line, "run %d %lf", &k, &seconds) == 2) run(k, seconds);
        else if (sscanf(line, "record %499s", word) == 1) marker = strdup(word), began = now_ns(), used = cpu_us();
        else if (sscanf(line, "stop %499s", word) == 1) stop(word, began, used);
        else fail("an order is not understood");
    }
}
