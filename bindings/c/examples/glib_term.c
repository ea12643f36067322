/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hub inside a GMainLoop: what a GTK program does. Without GTK it shows the terminal in the one it runs in.
 *
 *     cc glib_term.c $(pkg-config --cflags --libs orchflow glib-2.0) -o glib_term && ./glib_term top
 */
#define _GNU_SOURCE
#include <glib-unix.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "orchflow.h"

typedef struct {
    GMainLoop *loop;
    OrchHub *hub;
    OrchSession *session;
    GByteArray *keys; /* Read, and not yet taken by the session. */
    guint keys_source;
    int code;
} App;

static struct termios cooked;

static void leave_raw_mode(void)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &cooked);
}

static gboolean keys_came(gint fd, GIOCondition condition, gpointer user_data);

static void type_in(App *app)
{
    size_t taken = 0;
    OrchStatus status = orch_session_write(app->session, app->keys->data, app->keys->len, &taken);
    if (status == ORCH_OK)
        g_byte_array_remove_range(app->keys, 0, (guint)taken);
    else if (status != ORCH_AGAIN)
        g_byte_array_set_size(app->keys, 0);
    if (app->keys->len == 0 && app->keys_source == 0)
        app->keys_source = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, keys_came, app);
}

static gboolean keys_came(gint fd, GIOCondition condition, gpointer user_data)
{
    App *app = user_data;
    (void)condition;
    guint8 buf[4096];
    ssize_t len = read(fd, buf, sizeof(buf));
    if (len <= 0) {
        app->keys_source = 0;
        orch_session_close(app->session, 1000 * 1000 * 1000);
        return G_SOURCE_REMOVE;
    }
    g_byte_array_append(app->keys, buf, (guint)len);
    guint source = app->keys_source;
    type_in(app);
    if (app->keys->len == 0)
        return G_SOURCE_CONTINUE;
    app->keys_source = source == app->keys_source ? 0 : app->keys_source; /* Until there is room. */
    return G_SOURCE_REMOVE;
}

static void show_all(App *app)
{
    OrchBytes first, second;
    while (orch_session_peek(app->session, &first, &second) == ORCH_OK) {
        fwrite(first.data, 1, first.len, stdout);
        fwrite(second.data, 1, second.len, stdout);
        orch_session_consume(app->session, first.len + second.len);
    }
    fflush(stdout);
}

static gboolean hub_is_ready(gint fd, GIOCondition condition, gpointer user_data)
{
    App *app = user_data;
    (void)fd;
    (void)condition;
    orch_hub_dispatch(app->hub, 0); /* ORCH_MORE leaves the descriptor readable, and GLib calls again. */
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (orch_hub_next_event(app->hub, &event) == ORCH_OK) {
        if (event.kind == ORCH_EVENT_OUTPUT)
            show_all(app);
        if (event.kind == ORCH_EVENT_INPUT_READY)
            type_in(app);
        if (event.kind == ORCH_EVENT_EXIT) {
            show_all(app);
            app->code = event.exit_signal > 0 ? 128 + event.exit_signal : event.exit_code;
            g_main_loop_quit(app->loop);
        }
    }
    return G_SOURCE_CONTINUE;
}

static OrchSize window(void)
{
    struct winsize size = {0};
    ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    OrchSize window = {.cols = size.ws_col, .rows = size.ws_row, .width_px = size.ws_xpixel, .height_px = size.ws_ypixel};
    return window.cols > 0 && window.rows > 0 ? window : (OrchSize){.cols = 80, .rows = 24};
}

static int resize_pipe[2];

static void note_resize(int signal)
{
    (void)signal;
    ssize_t full = write(resize_pipe[1], "", 1);
    (void)full;
}

static gboolean was_resized(gint fd, GIOCondition condition, gpointer user_data)
{
    App *app = user_data;
    (void)condition;
    char buf[64];
    ssize_t silenced = read(fd, buf, sizeof(buf));
    (void)silenced;
    OrchSize size = window();
    orch_session_resize_to(app->session, &size, NULL);
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    if (tcgetattr(STDIN_FILENO, &cooked) < 0) {
        fprintf(stderr, "standard input is not a terminal: run this in one\n");
        return 1;
    }
    App app = {.loop = g_main_loop_new(NULL, FALSE), .keys = g_byte_array_new()};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argc > 1 ? (const char *const *)(argv + 1) : NULL;
    options.window = window();
    if (orch_hub_new(NULL, &app.hub) < 0 || orch_session_spawn(app.hub, &options, &app.session) < 0) {
        OrchError error = ORCH_INIT(OrchError);
        orch_last_error(&error);
        fprintf(stderr, "glib_term: %s\n", error.message);
        return 1;
    }
    struct termios raw = cooked;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    atexit(leave_raw_mode);
    GError *error = NULL;
    if (!g_unix_open_pipe(resize_pipe, FD_CLOEXEC, &error))
        g_error("%s", error->message);
    struct sigaction action = {.sa_handler = note_resize, .sa_flags = SA_RESTART};
    sigaction(SIGWINCH, &action, NULL);
    g_unix_fd_add(resize_pipe[0], G_IO_IN, was_resized, &app);
    g_unix_fd_add(orch_hub_fd(app.hub), G_IO_IN, hub_is_ready, &app);
    app.keys_source = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, keys_came, &app);
    g_main_loop_run(app.loop);
    orch_session_free(app.session);
    orch_hub_free(app.hub);
    g_byte_array_unref(app.keys);
    g_main_loop_unref(app.loop);
    return app.code;
}
