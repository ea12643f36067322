/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The least a program can do with the library: runs `echo hello` in a terminal, and prints what it says. */
#include <orchflow.h>
#include <stdio.h>

int main(void)
{
    const char *const argv[] = {"echo", "hello", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    OrchHub *hub;
    OrchSession *session;
    options.argv = argv;
    if (orch_hub_new(NULL, &hub) < 0 || orch_session_spawn(hub, &options, &session) < 0)
        return 1;
    for (;;) {
        OrchBytes first, second;
        OrchEvent event = ORCH_INIT(OrchEvent);
        OrchStatus status = orch_session_peek(session, &first, &second);
        if (status == ORCH_EOF)
            break;
        if (status == ORCH_OK) {
            fwrite(first.data, 1, first.len, stdout);
            fwrite(second.data, 1, second.len, stdout);
            orch_session_consume(session, first.len + second.len);
        }
        if (orch_hub_wait(hub, -1) < 0)
            return 1;
        while (orch_hub_next_event(hub, &event) == ORCH_OK) {
        }
    }
    orch_session_free(session);
    orch_hub_free(hub);
    return 0;
}
