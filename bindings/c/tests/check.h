/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a test needs: CHECK, a list of tests, and a main that runs them. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchflow.h"

#define CHECK(condition)                                                                                \
    do {                                                                                                \
        if (!(condition)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                     \
            exit(1);                                                                                    \
        }                                                                                               \
    } while (0)

/* That a call answers this status; it is named where it does not. */
#define ANSWERS(status, call)                                                                           \
    do {                                                                                                \
        OrchStatus answered = (call);                                                                   \
        if (answered != (status)) {                                                                     \
            OrchError why = ORCH_INIT(OrchError);                                                       \
            orch_last_error(&why);                                                                      \
            fprintf(stderr, "%s:%d: %s answers %s instead of %s; the last error: %s\n", __FILE__, __LINE__, #call, \
                    orch_status_name(answered), orch_status_name(status), why.message);                 \
            exit(1);                                                                                    \
        }                                                                                               \
    } while (0)

#define OK(call) ANSWERS(ORCH_OK, call)

typedef struct {
    const char *name;
    void (*run)(void);
} Test;

#define TEST(function) { #function, function }

/* Runs all tests, or the one that is named; a test that hangs is ended by the alarm. */
static inline int run_tests(const Test *tests, size_t count, int argc, char **argv)
{
    size_t ran = 0;
    for (size_t at = 0; at < count; at++) {
        if (argc > 1 && strcmp(argv[1], tests[at].name) != 0)
            continue;
        alarm(120);
        tests[at].run();
        printf("ok %s\n", tests[at].name);
        fflush(stdout);
        ran++;
    }
    return ran > 0 ? 0 : 2;
}

#define RUN(tests) \
    int main(int argc, char **argv) { return run_tests(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv); }

#endif
