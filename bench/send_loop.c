/* The floor of the fan-out figures: one send() for every socket and message, and nothing else.
 *
 * Two listening ports, printed on the first line: sockets, and control. On control: 'p' sends one 128-byte message, which begins
 * with '@' and the nanoseconds of CLOCK_MONOTONIC, to every socket, 'c' answers with user + system time so far in microseconds, 'n' with the number of sockets. Build: cc -O2 -o send_loop send_loop.c
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 20000
#define MESSAGE 132 /* four bytes of frame head and 128 of text */

static int sockets[MOST];
static int count;

static int listener(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 2048)) exit(1);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

int main(void) {
    int port, control_port, one = 1;
    int fan = listener(&port), door = listener(&control_port);
    char message[MESSAGE], order[4096];
    printf("%d %d\n", port, control_port);
    fflush(stdout);
    memset(message, 'x', sizeof message);
    message[0] = (char)0x81;
    message[1] = 126;
    message[2] = 0;
    message[3] = (char)128;
    int epoll = epoll_create1(0), control = -1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fan}, ready[16];
    epoll_ctl(epoll, EPOLL_CTL_ADD, fan, &event);
    event.data.fd = door;
    epoll_ctl(epoll, EPOLL_CTL_ADD, door, &event);
    for (;;) {
        int number = epoll_wait(epoll, ready, 16, -1);
        for (int i = 0; i < number; i++) {
            int fd = ready[i].data.fd;
            if (fd == fan && count < MOST) {
                int client = accept(fan, NULL, NULL);
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                sockets[count++] = client;
            } else if (fd == door) {
                control = accept(door, NULL, NULL);
                setsockopt(control, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.fd = control;
                epoll_ctl(epoll, EPOLL_CTL_ADD, control, &event);
            } else if (fd == control) {
                ssize_t size = read(control, order, sizeof order);
                if (size <= 0) return 0;
                for (ssize_t j = 0; j < size; j++) {
                    if (order[j] == 'p') {
                        struct timespec now;
                        clock_gettime(CLOCK_MONOTONIC, &now);
                        char digits[24];
                        snprintf(digits, sizeof digits, "@%019lld", now.tv_sec * 1000000000LL + now.tv_nsec);
                        memcpy(message + 4, digits, 20);
                        for (int k = 0; k < count; k++) send(sockets[k], message, sizeof message, MSG_NOSIGNAL);
                    }
                    if (order[j] == 'c') {
                        struct rusage used;
                        getrusage(RUSAGE_SELF, &used);
                        int length = snprintf(order, sizeof order, "%ld\n",
                                              (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
                        if (write(control, order, length) < 0) return 1;
                    }
                    if (order[j] == 'n' && dprintf(control, "%d\n", count) < 0) return 1;
                }
            }
        }
    }
}
