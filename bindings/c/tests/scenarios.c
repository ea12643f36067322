/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Plays the scenarios that every language plays, on both kinds of hub; core/testdata/scenarios/README.md says what each line means. */
#include <dirent.h>
#include <stdbool.h>
#include <time.h>

#include "check.h"

#define FOLDER "core/testdata/scenarios"
#define PATIENCE_S 20
#define VOICES_MAX 8
#define WORDS_MAX 16

/* A session or a further reader, and what it said that nobody was told of yet. */
typedef struct {
    char name[32];
    OrchSession *session; /* NULL: a further reader. */
    OrchReader *reader;
    char *said;
    size_t len, room;
    uint64_t offset; /* Of the first byte of `said`. */
    uint64_t missed;
    bool ended; /* Nothing more will be said. */
    bool process_exited;
    uint64_t dropped_to;
    OrchSize resized;
} Voice;

typedef struct {
    OrchHub *hub;
    Voice voices[VOICES_MAX];
    const char *file;
    int line;
    time_t since;
} Player;

static void fail(Player *player, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", player->file, player->line, what);
    exit(1);
}

#define MUST(condition)                          \
    do {                                         \
        if (!(condition))                        \
            fail(player, "not so: " #condition); \
    } while (0)

static Voice *voice_of(Player *player, const char *name)
{
    for (int at = 0; at < VOICES_MAX; at++)
        if (strcmp(player->voices[at].name, name) == 0)
            return &player->voices[at];
    fail(player, "nobody is called so");
    return NULL;
}

static Voice *new_voice(Player *player, const char *name)
{
    Voice *voice = voice_of(player, "");
    snprintf(voice->name, sizeof(voice->name), "%s", name);
    return voice;
}

static void keep(Voice *voice, const void *data, size_t len)
{
    if (voice->len + len + 1 > voice->room) {
        voice->room = 2 * (voice->len + len + 1);
        voice->said = (char *)realloc(voice->said, voice->room);
    }
    memcpy(voice->said + voice->len, data, len);
    voice->len += len;
}

static void forget(Voice *voice, size_t len)
{
    memmove(voice->said, voice->said + len, voice->len - len);
    voice->len -= len;
    voice->offset += len;
}

/* The byte at `offset` of the flood. */
static char flood_byte(uint64_t offset)
{
    uint64_t cell = offset / 16, column = offset % 16;
    if (column == 15)
        return ';';
    for (uint64_t place = column; place < 14; place++)
        cell /= 10;
    return (char)('0' + cell % 10);
}

/* Reads what there is, but no more than `limit` bytes are kept: whoever is not listened to is to be held up. */
static void listen_to(Player *player, Voice *voice, size_t limit)
{
    uint8_t buf[65536];
    size_t len = 0;
    while (voice->len < limit && !voice->ended) {
        size_t room = limit - voice->len < sizeof(buf) ? limit - voice->len : sizeof(buf);
        OrchStatus status = voice->reader != NULL ? orch_reader_read(voice->reader, buf, room, &len)
                                                  : orch_session_read(voice->session, buf, room, &len);
        MUST(status >= 0);
        if (status == ORCH_GAP) {
            uint64_t from, to;
            MUST(orch_reader_skip(voice->reader, &from, &to) == ORCH_OK);
            MUST(voice->len == 0 && from == voice->offset); /* Gaps are where what was kept was dealt with. */
            voice->offset = to;
            voice->missed += to - from;
            continue;
        }
        keep(voice, buf, len);
        voice->ended = status == ORCH_EOF;
        if (status != ORCH_OK)
            return;
    }
}

/* One turn of the hub; events are noted with whom they are about. */
static void play_turn(Player *player)
{
    if (time(NULL) - player->since > PATIENCE_S)
        fail(player, "what is waited for does not happen");
    OrchStatus status = orch_hub_wait(player->hub, 5 * 1000 * 1000);
    MUST(status >= 0);
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (orch_hub_next_event(player->hub, &event) == ORCH_OK) {
        Voice *voice = (Voice *)event.user_data;
        if (event.kind == ORCH_EVENT_INPUT_DROPPED)
            voice->dropped_to = event.to;
        if (event.kind == ORCH_EVENT_RESIZED)
            voice->resized = event.window;
        if (event.kind == ORCH_EVENT_PROCESS_EXITED)
            voice->process_exited = true;
    }
}

#define UNTIL(condition)        \
    while (!(condition))        \
        play_turn(player)

static bool has_heard(Player *player, Voice *voice, size_t len)
{
    listen_to(player, voice, len);
    MUST(voice->len >= len || !voice->ended);
    return voice->len >= len;
}

static bool has_found(Player *player, Voice *voice, const char *text, size_t *end)
{
    size_t len = strlen(text);
    for (;;) {
        for (size_t at = 0; at + len <= voice->len; at++)
            if (memcmp(voice->said + at, text, len) == 0) {
                *end = at + len;
                return true;
            }
        size_t before = voice->len;
        listen_to(player, voice, voice->len + 1); /* A byte at a time, so that nothing behind it is taken. */
        if (voice->len == before) {
            MUST(!voice->ended);
            return false;
        }
    }
}

static OrchSessionStatus status_of(Player *player, Voice *voice)
{
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    MUST(orch_session_status(voice->session, &status) == ORCH_OK);
    return status;
}

static OrchSize size_of(Player *player, const char *word)
{
    unsigned cols, rows;
    MUST(sscanf(word, "%ux%u", &cols, &rows) == 2);
    return (OrchSize){.cols = (uint16_t)cols, .rows = (uint16_t)rows};
}

/* ---- The lines ---- */

static void spawn(Player *player, char **words, int count)
{
    const char *const argv[] = {"/bin/sh", "-c", words[count - 1], NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    for (int at = 2; at < count - 1; at++) {
        char *value = strchr(words[at], '=');
        MUST(value != NULL);
        *value++ = 0;
        if (strcmp(words[at], "queue") == 0)
            options.queue_bytes = strtoull(value, NULL, 10);
        else if (strcmp(words[at], "history") == 0)
            options.history_bytes = strtoull(value, NULL, 10);
        else if (strcmp(words[at], "input") == 0)
            options.input_bytes = strtoull(value, NULL, 10);
        else if (strcmp(words[at], "size") == 0)
            options.window = size_of(player, value);
        else
            fail(player, "no such option");
    }
    Voice *voice = new_voice(player, words[1]);
    options.user_data = voice;
    MUST(orch_session_spawn(player->hub, &options, &voice->session) == ORCH_OK);
}

static void new_reader(Player *player, char **words)
{
    OrchReaderOptions options = ORCH_INIT(OrchReaderOptions);
    options.mode = strcmp(words[4], "owner") == 0 ? ORCH_READER_OWNER : strcmp(words[4], "viewer") == 0 ? ORCH_READER_VIEWER : ORCH_READER_LOSSY;
    options.offset = strtoull(words[5], NULL, 10);
    Voice *of = voice_of(player, words[3]), *voice = new_voice(player, words[1]);
    options.user_data = voice;
    voice->offset = options.offset;
    MUST(orch_reader_new(of->session, &options, &voice->reader) == ORCH_OK);
}

static void hear_line(Player *player, char **words, int count)
{
    Voice *voice = voice_of(player, words[1]);
    if (strcmp(words[2], "flood") == 0) {
        uint64_t from = strtoull(words[3], NULL, 10), to = strtoull(words[4], NULL, 10);
        UNTIL(has_heard(player, voice, (size_t)(to - from)));
        for (uint64_t at = from; at < to; at++)
            MUST(voice->said[at - from] == flood_byte(at));
        forget(voice, (size_t)(to - from));
    } else if (strcmp(words[2], "gaps") == 0) {
        uint64_t to = strtoull(words[3], NULL, 10);
        while (voice->offset < to) {
            listen_to(player, voice, 1); /* So that a gap stands at an offset that is known. */
            listen_to(player, voice, (size_t)(voice->len > 0 ? 4096 : 1));
            for (size_t at = 0; at < voice->len; at++)
                MUST(voice->said[at] == flood_byte(voice->offset + at));
            if (voice->len == 0)
                play_turn(player);
            forget(voice, voice->len);
        }
        MUST(voice->offset == to && voice->missed > 0);
    } else if (count == 4) {
        size_t times = strtoull(words[2], NULL, 10), len = strlen(words[3]);
        UNTIL(has_heard(player, voice, times * len));
        for (size_t at = 0; at < times; at++)
            MUST(memcmp(voice->said + at * len, words[3], len) == 0);
        forget(voice, times * len);
    } else {
        size_t end = 0;
        UNTIL(has_found(player, voice, words[2], &end));
        forget(voice, end);
    }
}

static bool is_over(Player *player, Voice *voice)
{
    listen_to(player, voice, voice->len + 1);
    MUST(voice->len == 0); /* Nothing more is said. */
    return voice->ended;
}

static void end(Player *player, char **words, int count)
{
    Voice *voice = voice_of(player, words[1]);
    UNTIL(is_over(player, voice));
    if (voice->session == NULL)
        return; /* How, its session tells. */
    OrchSessionStatus status = status_of(player, voice);
    int value = atoi(words[3]);
    MUST((status.flags & ORCH_SESSION_ENDED) != 0);
    MUST(((status.flags & ORCH_SESSION_ORPHANED) != 0) == (count == 5));
    MUST(strcmp(words[2], "code") == 0 ? status.exit_code == value : status.exit_signal == value && status.exit_code == -1);
}

static char *repeated(const char *text, size_t times, size_t *len)
{
    size_t one = strlen(text);
    char *all = (char *)malloc(one * times + 1);
    for (size_t at = 0; at < times; at++)
        memcpy(all + at * one, text, one);
    *len = one * times;
    return all;
}

static void type_in(Player *player, char **words, int count)
{
    Voice *voice = voice_of(player, words[1]);
    size_t len, done = 0, taken;
    char *all = repeated(words[count - 1], count == 4 ? strtoull(words[2], NULL, 10) : 1, &len);
    while (done < len) {
        OrchStatus status = orch_session_write(voice->session, (uint8_t *)all + done, len - done, &taken);
        MUST(status == ORCH_OK || status == ORCH_AGAIN);
        if (status == ORCH_OK) {
            done += taken;
        } else {
            listen_to(player, voice, (size_t)-1); /* Who echoes is to be heard. */
            play_turn(player);
        }
    }
    free(all);
}

static void refused(Player *player, char **words)
{
    size_t len, taken;
    char *all = repeated(words[4], strtoull(words[3], NULL, 10), &len);
    OrchStatus wanted = strcmp(words[2], "closed") == 0 ? ORCH_CLOSED : ORCH_LINE_TOO_LONG;
    MUST(orch_session_write(voice_of(player, words[1])->session, (uint8_t *)all, len, &taken) == wanted);
    free(all);
}

static void send_signal(Player *player, char **words)
{
    uint32_t signal = strcmp(words[2], "stop") == 0       ? ORCH_SIGNAL_STOP
                      : strcmp(words[2], "continue") == 0 ? ORCH_SIGNAL_CONTINUE
                      : strcmp(words[2], "kill") == 0     ? ORCH_SIGNAL_KILL
                                                          : ORCH_SIGNAL_INTERRUPT;
    uint32_t target = strcmp(words[3], "leader") == 0    ? ORCH_TARGET_LEADER
                      : strcmp(words[3], "session") == 0 ? ORCH_TARGET_SESSION
                                                         : ORCH_TARGET_FOREGROUND;
    MUST(orch_session_signal(voice_of(player, words[1])->session, signal, target) == ORCH_OK);
}

static void let_go(Player *player, Voice *voice)
{
    (void)player;
    orch_session_free(voice->session);
    orch_reader_free(voice->reader);
    free(voice->said);
    *voice = (Voice){0};
}

/* What became due is done once the hub has made a turn; a threaded hub makes its own. */
static void advance(Player *player, uint64_t ms)
{
    OrchTimer *timer;
    MUST(orch_timer_new(player->hub, player, &timer) == ORCH_OK && orch_timer_set(timer, ms * 1000 * 1000) == ORCH_OK);
    MUST(orch_hub_advance(player->hub, ms * 1000 * 1000) == ORCH_OK);
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (event.timer != timer) {
        MUST(time(NULL) - player->since <= PATIENCE_S);
        orch_hub_wait(player->hub, 5 * 1000 * 1000);
        while (event.timer != timer && orch_hub_next_event(player->hub, &event) == ORCH_OK)
            if (event.kind == ORCH_EVENT_PROCESS_EXITED)
                ((Voice *)event.user_data)->process_exited = true;
    }
    orch_timer_free(timer);
    OK(orch_hub_wait(player->hub, 0) >= 0 ? ORCH_OK : ORCH_IO);
}

static bool is_emptied(Player *player, bool manual)
{
    size_t sessions;
    MUST(orch_hub_sessions(player->hub, &sessions) == ORCH_OK);
    if (sessions > 0 && manual)
        advance(player, 1000); /* A process that is about to go is looked for at the next step. */
    return sessions == 0;
}

static uint64_t paused(Player *player)
{
    OrchMetrics metrics = ORCH_INIT(OrchMetrics);
    MUST(orch_hub_metrics(player->hub, &metrics) == ORCH_OK);
    return metrics.paused;
}

static void act(Player *player, char **words, int count, bool manual)
{
    const char *verb = words[0];
    player->since = time(NULL);
#define IS(name) (strcmp(verb, name) == 0)
    if (IS("clock"))
        return;
    if (IS("spawn"))
        spawn(player, words, count);
    else if (IS("reader"))
        new_reader(player, words);
    else if (IS("hear"))
        hear_line(player, words, count);
    else if (IS("end"))
        end(player, words, count);
    else if (IS("type"))
        type_in(player, words, count);
    else if (IS("refused"))
        refused(player, words);
    else if (IS("signal"))
        send_signal(player, words);
    else if (IS("free"))
        let_go(player, voice_of(player, words[1]));
    else if (IS("advance"))
        advance(player, strtoull(words[1], NULL, 10));
    else if (IS("emptied"))
        UNTIL(is_emptied(player, manual));
    else if (IS("paused"))
        UNTIL(paused(player) == strtoull(words[1], NULL, 10));
    else if (IS("running"))
        MUST((status_of(player, voice_of(player, words[1])).flags & ORCH_SESSION_ENDED) == 0);
    else if (IS("exited"))
        UNTIL(voice_of(player, words[1])->process_exited);
    else if (IS("output"))
        UNTIL(status_of(player, voice_of(player, words[1])).output_end >= strtoull(words[2], NULL, 10));
    else if (IS("dropped"))
        UNTIL(voice_of(player, words[1])->dropped_to == strtoull(words[2], NULL, 10));
    else if (IS("urgent")) {
        size_t taken;
        MUST(orch_session_write_urgent(voice_of(player, words[1])->session, (uint8_t *)words[2], strlen(words[2]), &taken) == ORCH_OK);
    } else if (IS("resize")) {
        OrchSize size = size_of(player, words[2]);
        MUST(orch_session_resize(voice_of(player, words[1])->session, size.cols, size.rows) == ORCH_OK);
    } else if (IS("resized")) {
        Voice *voice = voice_of(player, words[1]);
        UNTIL(voice->resized.cols != 0);
        OrchSize size = size_of(player, words[2]);
        MUST(voice->resized.cols == size.cols && voice->resized.rows == size.rows);
        voice->resized = (OrchSize){0};
    } else if (IS("close"))
        MUST(orch_session_close(voice_of(player, words[1])->session, strtoull(words[2], NULL, 10) * 1000 * 1000) == ORCH_OK);
    else
        fail(player, "no such line");
}

/* ---- Reading a script ---- */

/* Takes a line apart, in place. What stands behind `--` is one word. */
static int words_of(Player *player, char *line, char **words)
{
    int count = 0;
    char *shell = strstr(line, " -- ");
    if (shell != NULL) {
        *shell = 0;
        shell += 4;
    }
    for (char *at = line; *at != 0 && *at != '#';) {
        if (*at == ' ') {
            at++;
            continue;
        }
        MUST(count < WORDS_MAX - 1);
        if (*at != '"') {
            words[count++] = at;
            at += strcspn(at, " ");
            if (*at != 0)
                *at++ = 0;
            continue;
        }
        char *to = ++at;
        words[count++] = to;
        while (*at != '"') {
            MUST(*at != 0);
            if (*at != '\\') {
                *to++ = *at++;
                continue;
            }
            at++;
            char escaped = *at++;
            if (escaped == 'x') {
                char digits[3] = {at[0], at[1], 0};
                *to++ = (char)strtol(digits, NULL, 16);
                at += 2;
            } else {
                *to++ = escaped == 'n' ? '\n' : escaped == 'r' ? '\r' : escaped == 't' ? '\t' : escaped;
            }
        }
        at++;
        *to = 0;
    }
    if (shell != NULL)
        words[count++] = shell;
    return count;
}

static void play(const char *file, uint32_t flags)
{
    char path[512], line[4096], *words[WORDS_MAX];
    snprintf(path, sizeof(path), "%s/%s", FOLDER, file);
    Player all = {.file = file}, *player = &all;
    FILE *script = fopen(path, "r");
    MUST(script != NULL);
    bool manual = false;
    while (fgets(line, sizeof(line), script) != NULL) {
        player->line++;
        line[strcspn(line, "\n")] = 0;
        int count = words_of(player, line, words);
        if (count == 0)
            continue;
        if (player->hub == NULL) {
            manual = strcmp(words[0], "clock") == 0;
            OrchHubOptions options = ORCH_INIT(OrchHubOptions);
            options.flags = flags | (manual ? ORCH_HUB_MANUAL_CLOCK : 0);
            MUST(orch_hub_new(&options, &player->hub) == ORCH_OK);
        }
        act(player, words, count, manual);
    }
    fclose(script);
    for (int at = 0; at < VOICES_MAX; at++)
        let_go(player, &player->voices[at]);
    orch_hub_free(player->hub);
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

int main(int argc, char **argv)
{
    char *files[128];
    int count = 0;
    DIR *folder = opendir(FOLDER);
    if (folder == NULL) {
        fprintf(stderr, "there is no %s: run this from the root\n", FOLDER);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strstr(entry->d_name, ".txt") != NULL && (argc < 2 || strcmp(argv[1], entry->d_name) == 0) && count < 128)
            files[count++] = strdup(entry->d_name);
    closedir(folder);
    qsort(files, (size_t)count, sizeof(files[0]), by_name);
    for (int at = 0; at < count; at++) {
        for (uint32_t flags = 0; flags <= ORCH_HUB_THREADED; flags++) {
            alarm(300);
            play(files[at], flags);
            printf("ok %s%s\n", files[at], flags == 0 ? "" : " (threaded)");
            fflush(stdout);
        }
        free(files[at]);
    }
    return count > 0 ? 0 : 2;
}
