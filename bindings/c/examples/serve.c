/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A server of terminals over a Unix socket of the host's own: the library speaks the protocol, and this program carries its bytes.
 *
 *     cc serve.c $(pkg-config --cflags --libs orchflow) -o serve && ./serve FOLDER
 *
 * FOLDER is made, for its owner only, and holds `socket` and `token`, which is all that a client needs: `attach FOLDER/socket`. SIGTERM ends it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "orchflow.h"

#define CLIENTS_MAX 64

typedef struct {
    int fd; /* -1: this place is free. */
    OrchLink *link;
    bool deaf; /* The link takes no more for now. */
    bool over; /* Nothing follows what waits to be sent. */
} Client;

static Client clients[CLIENTS_MAX];
static OrchServer *server;

static void fail(const char *doing)
{
    OrchError error = ORCH_INIT(OrchError);
    orch_last_error(&error);
    fprintf(stderr, "serve: %s: %s\n", doing, error.status < 0 ? error.message : strerror(errno));
    exit(1);
}

static void leave(Client *client)
{
    orch_link_free(client->link);
    close(client->fd);
    *client = (Client){.fd = -1};
}

static void admit(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (int at = 0; at < CLIENTS_MAX; at++)
        if (clients[at].fd < 0) {
            clients[at] = (Client){.fd = fd};
            if (orch_server_accept(server, "unix", ORCH_FRAMING_STREAM, &clients[at], &clients[at].link) < 0)
                leave(&clients[at]);
            return;
        }
    close(fd); /* All places are taken; it comes back later. */
}

/* Reads what has come, as much as the link takes. */
static void receive(Client *client)
{
    uint8_t data[16384];
    ssize_t len = recv(client->fd, data, sizeof(data), MSG_PEEK);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        leave(client);
        return;
    }
    if (len < 0)
        return;
    size_t taken = 0;
    OrchStatus status = orch_link_receive(client->link, data, (size_t)len, &taken);
    client->deaf = status == ORCH_AGAIN; /* What it did not take stays in the socket, and its sender waits. */
    if (status < 0)
        taken = (size_t)len; /* It is over, and what is left is goodbye. */
    if (taken > 0 && recv(client->fd, data, taken, 0) < 0)
        leave(client);
}

/* Sends what waits; answers whether some of it still does. */
static bool sends(Client *client)
{
    OrchBytes bytes;
    OrchStatus status;
    while ((status = orch_link_peek(client->link, &bytes)) == ORCH_OK) {
        ssize_t sent = send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (sent < 0) {
            leave(client);
            return false;
        }
        orch_link_consume(client->link, (size_t)sent);
    }
    if (status == ORCH_EOF && client->over)
        leave(client);
    return false;
}

/* A token that only the owner can read, and a socket beside it. */
static int listen_in(const char *folder, char *token, size_t token_room)
{
    size_t len;
    if (orch_token_new(token, token_room - 1, &len) < 0 || mkdir(folder, 0700) < 0 || chdir(folder) < 0)
        fail(folder);
    token[len] = 0;
    int file = open("token", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || write(file, token, len) != (ssize_t)len || close(file) < 0)
        fail("write the token");
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 128) < 0)
        fail("listen");
    return listener;
}

static void take_events(OrchHub *hub)
{
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (orch_hub_next_event(hub, &event) == ORCH_OK) {
        Client *client = event.user_data;
        if (event.kind == ORCH_EVENT_LINK_READY)
            client->deaf = false;
        if (event.kind == ORCH_EVENT_LINK_OVER)
            client->over = true;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: serve FOLDER\n");
        return 2;
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int ended = signalfd(-1, &ends, SFD_CLOEXEC);
    for (int at = 0; at < CLIENTS_MAX; at++)
        clients[at].fd = -1;

    char token[64];
    int listener = listen_in(argv[1], token, sizeof(token));
    OrchHub *hub;
    OrchServerOptions options = ORCH_INIT(OrchServerOptions);
    options.token = token;
    if (orch_hub_new(NULL, &hub) < 0 || orch_server_new(hub, &options, &server) < 0)
        fail("serve");
    memset(token, 0, sizeof(token));
    printf("%s/socket\n", argv[1]);
    fflush(stdout);

    for (;;) {
        struct pollfd fds[CLIENTS_MAX + 3] = {
            {.fd = orch_hub_fd(hub), .events = POLLIN}, {.fd = listener, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
        for (int at = 0; at < CLIENTS_MAX; at++) {
            bool waits = clients[at].fd >= 0 && sends(&clients[at]);
            short wanted = (short)((waits ? POLLOUT : 0) | (clients[at].deaf || clients[at].over ? 0 : POLLIN));
            fds[at + 3] = (struct pollfd){.fd = clients[at].fd, .events = wanted};
        }
        if (poll(fds, CLIENTS_MAX + 3, -1) < 0 && errno != EINTR)
            fail("wait");
        if (fds[2].revents != 0)
            break;
        for (int at = 0; at < CLIENTS_MAX; at++)
            if (clients[at].fd >= 0 && (fds[at + 3].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !clients[at].deaf)
                receive(&clients[at]);
        if (fds[1].revents != 0)
            admit(listener);
        if (orch_hub_dispatch(hub, 0) < 0)
            fail("dispatch");
        take_events(hub);
    }

    orch_server_shut_down(server, NULL);
    orch_hub_dispatch(hub, 0); /* Everybody is told goodbye. */
    take_events(hub);
    for (int at = 0; at < CLIENTS_MAX; at++)
        if (clients[at].fd >= 0) {
            sends(&clients[at]);
            if (clients[at].fd >= 0)
                leave(&clients[at]);
        }
    orch_server_free(server);
    orch_hub_free(hub);
    unlink("socket");
    unlink("token");
    close(listener);
    close(ended);
    return 0;
}
