/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A server of terminals for browsers, on libwebsockets: the library speaks the protocol, libwebsockets carries its messages.
 *
 *     cc serve_ws.c $(pkg-config --cflags --libs orchflow libwebsockets) -o serve_ws && ./serve_ws --page FOLDER
 *
 * It listens on loopback and prints a link. FOLDER has the page (examples/server/page/dist); without it there is the WebSocket alone, for `attach` and
 * other clients. --name HOST:PORT adds a name under which a proxy reaches it.
 */
#define _GNU_SOURCE
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchflow.h"

/* The longest message that a client may send: the server's limit, and what the handshake allows before is less. */
#define MESSAGE_MAX (1 << 20)

/* One connection. */
typedef struct {
    struct lws *wsi;
    OrchLink *link;
    uint8_t *message; /* What has come of a message. */
    size_t len;
    bool whole; /* All of it has, and the link did not take it yet. */
    bool over;
} Client;

static OrchHub *hub;
static OrchServer *server;
static char names[2][64]; /* Under which it can be reached: host:port. */
static volatile sig_atomic_t ended;
static struct lws_context *context;

static void fail(const char *doing)
{
    OrchError error = ORCH_INIT(OrchError);
    orch_last_error(&error);
    fprintf(stderr, "serve_ws: %s: %s\n", doing, error.status < 0 ? error.message : "it failed");
    exit(1);
}

/* The name that a client dialled, if it is one of ours and no page of another origin asks. */
static const char *named(struct lws *wsi)
{
    char host[64] = "", origin[128] = "", expected[128];
    lws_hdr_copy(wsi, host, sizeof(host), WSI_TOKEN_HOST);
    int has_origin = lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN);
    for (int at = 0; at < 2; at++) {
        if (names[at][0] == 0 || strcmp(host, names[at]) != 0)
            continue;
        snprintf(expected, sizeof(expected), "http://%s", names[at]);
        if (has_origin > 0 && (lws_hdr_copy(wsi, origin, sizeof(origin), WSI_TOKEN_ORIGIN) < 0 || strcmp(origin, expected) != 0))
            return NULL;
        return names[at];
    }
    return NULL;
}

/* Hands a whole message over; while the link takes none, nothing more is read. */
static void hand_over(Client *client)
{
    size_t taken;
    OrchStatus status = orch_link_receive(client->link, client->message, client->len, &taken);
    client->whole = status == ORCH_AGAIN;
    lws_rx_flow_control(client->wsi, client->whole ? 0 : 1);
    if (!client->whole)
        client->len = 0;
}

static int receive(Client *client, const void *data, size_t len)
{
    if (!lws_frame_is_binary(client->wsi) || client->len + len > MESSAGE_MAX)
        return -1;
    uint8_t *grown = realloc(client->message, client->len + len + 1);
    if (grown == NULL)
        return -1;
    client->message = grown;
    memcpy(client->message + client->len, data, len);
    client->len += len;
    if (lws_is_final_fragment(client->wsi) && lws_remaining_packet_payload(client->wsi) == 0)
        hand_over(client);
    return 0;
}

/* Sends one message, and asks to be called again while there are more. */
static int send_one(Client *client)
{
    OrchBytes bytes;
    OrchStatus status = orch_link_peek(client->link, &bytes);
    if (status == ORCH_EOF || (status == ORCH_AGAIN && client->over))
        return -1; /* Everything was said. */
    if (status != ORCH_OK)
        return 0;
    uint8_t *framed = malloc(LWS_PRE + bytes.len);
    if (framed == NULL)
        return -1;
    memcpy(framed + LWS_PRE, bytes.data, bytes.len);
    int sent = lws_write(client->wsi, framed + LWS_PRE, bytes.len, LWS_WRITE_BINARY); /* What does not leave at once is kept there. */
    free(framed);
    if (sent < (int)bytes.len)
        return -1;
    orch_link_consume(client->link, bytes.len);
    lws_callback_on_writable(client->wsi);
    return 0;
}

static int on_client(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    Client *client = user;
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return named(wsi) == NULL ? -1 : 0;
    case LWS_CALLBACK_ESTABLISHED:
        *client = (Client){.wsi = wsi};
        return orch_server_accept(server, named(wsi), ORCH_FRAMING_MESSAGES, client, &client->link) < 0 ? -1 : 0;
    case LWS_CALLBACK_RECEIVE:
        return receive(client, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return send_one(client);
    case LWS_CALLBACK_CLOSED:
        orch_link_free(client->link);
        free(client->message);
        *client = (Client){0};
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

/* The hub's descriptor is readable. */
static int on_hub(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)wsi;
    (void)user;
    (void)in;
    (void)len;
    if (reason != LWS_CALLBACK_RAW_RX_FILE)
        return 0;
    if (orch_hub_dispatch(hub, 0) < 0)
        fail("dispatch");
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (orch_hub_next_event(hub, &event) == ORCH_OK) {
        Client *client = event.user_data;
        if (event.kind == ORCH_EVENT_LINK_READY && client->whole)
            hand_over(client);
        if (event.kind == ORCH_EVENT_LINK_OVER)
            client->over = true;
        if (event.kind == ORCH_EVENT_LINK_OUTPUT || event.kind == ORCH_EVENT_LINK_OVER)
            lws_callback_on_writable(client->wsi);
    }
    return 0;
}

static void end(int signal)
{
    (void)signal;
    ended = 1;
    lws_cancel_service(context);
}

int main(int argc, char **argv)
{
    const char *page = NULL;
    for (int at = 1; at + 1 < argc; at += 2) {
        if (strcmp(argv[at], "--page") == 0)
            page = argv[at + 1];
        if (strcmp(argv[at], "--name") == 0)
            snprintf(names[1], sizeof(names[1]), "%s", argv[at + 1]);
    }
    static const struct lws_protocols protocols[] = {
        {.name = "orchflow", .callback = on_client, .per_session_data_size = sizeof(Client), .rx_buffer_size = 65536},
        {.name = "hub", .callback = on_hub},
        {.name = NULL},
    };
    struct lws_http_mount mount = {.mountpoint = "/", .mountpoint_len = 1, .origin = page, .def = "index.html", .origin_protocol = LWSMPRO_FILE};
    struct lws_context_creation_info info = {
        .port = 0, .iface = "127.0.0.1", .protocols = protocols, .mounts = page == NULL ? NULL : &mount, .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS};
    lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
    context = lws_create_context(&info);
    struct lws_vhost *vhost = context == NULL ? NULL : lws_create_vhost(context, &info);
    if (vhost == NULL)
        fail("listen");
    int port = lws_get_vhost_listen_port(vhost);
    snprintf(names[0], sizeof(names[0]), "127.0.0.1:%d", port);

    char token[64] = {0}, pass[64] = {0};
    size_t len;
    OrchServerOptions options = ORCH_INIT(OrchServerOptions);
    options.token = token;
    if (orch_hub_new(NULL, &hub) < 0 || orch_token_new(token, sizeof(token) - 1, &len) < 0 ||
        orch_token_pass(token, ORCH_ROLE_OWNER, pass, sizeof(pass) - 1, &len) < 0 || orch_server_new(hub, &options, &server) < 0)
        fail("serve");
    /* libwebsockets closes what it watches, so it is given a copy. */
    lws_sock_file_fd_type watched = {.filefd = dup(orch_hub_fd(hub))};
    if (lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, watched, "hub", NULL) == NULL)
        fail("watch the hub");
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    printf("http://%s/#token=%s\n", names[0], pass);
    fflush(stdout);

    while (!ended && lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context); /* Links are freed with their connections. */
    orch_server_free(server);
    orch_hub_free(hub);
    return 0;
}
