/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where every public field is, and its size, with 64-bit pointers. `cargo xtask abi` adds lines and never changes one. */
#include <stddef.h>
#include <stdio.h>

#include "orchflow.h"

#if UINTPTR_MAX == UINT64_MAX

#define AT(type, field, offset, size)                                                              \
    _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved");              \
    _Static_assert(sizeof(((type *)0)->field) == (size), #type "." #field " has another size")
/* Of structs without a size, which can never grow. */
#define FROZEN(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

AT(OrchError, size, 0, 8);
AT(OrchError, status, 8, 4);
AT(OrchError, os_error, 12, 4);
AT(OrchError, message, 16, 8);
AT(OrchHubOptions, size, 0, 8);
AT(OrchHubOptions, flags, 8, 4);
AT(OrchHubOptions, sessions_max, 12, 4);
AT(OrchHubOptions, pool_bytes, 16, 8);
AT(OrchHubOptions, wake, 24, 8);
AT(OrchHubOptions, wake_data, 32, 8);
AT(OrchHubOptions, wake_drop, 40, 8);
AT(OrchHubOptions, log, 48, 8);
AT(OrchHubOptions, log_data, 56, 8);
AT(OrchHubOptions, log_drop, 64, 8);
AT(OrchSize, cols, 0, 2);
AT(OrchSize, rows, 2, 2);
AT(OrchSize, width_px, 4, 2);
AT(OrchSize, height_px, 6, 2);
FROZEN(OrchSize, 8);
AT(OrchBytes, data, 0, 8);
AT(OrchBytes, len, 8, 8);
FROZEN(OrchBytes, 16);
AT(OrchEvent, size, 0, 8);
AT(OrchEvent, kind, 8, 4);
AT(OrchEvent, flags, 12, 4);
AT(OrchEvent, session, 16, 8);
AT(OrchEvent, reader, 24, 8);
AT(OrchEvent, timer, 32, 8);
AT(OrchEvent, link, 40, 8);
AT(OrchEvent, submission, 48, 8);
AT(OrchEvent, user_data, 56, 8);
AT(OrchEvent, from, 64, 8);
AT(OrchEvent, to, 72, 8);
AT(OrchEvent, exit_code, 80, 4);
AT(OrchEvent, exit_signal, 84, 4);
AT(OrchEvent, window, 88, 8);
AT(OrchEvent, code, 96, 16);
AT(OrchSpawnOptions, size, 0, 8);
AT(OrchSpawnOptions, argv, 8, 8);
AT(OrchSpawnOptions, env, 16, 8);
AT(OrchSpawnOptions, cwd, 24, 8);
AT(OrchSpawnOptions, flags, 32, 4);
AT(OrchSpawnOptions, window, 36, 8);
AT(OrchSpawnOptions, history_bytes, 48, 8);
AT(OrchSpawnOptions, queue_bytes, 56, 8);
AT(OrchSpawnOptions, input_bytes, 64, 8);
AT(OrchSpawnOptions, drain_ns, 72, 8);
AT(OrchSpawnOptions, drain_quiet_ns, 80, 8);
AT(OrchSpawnOptions, close_grace_ns, 88, 8);
AT(OrchSpawnOptions, user_data, 96, 8);
AT(OrchSessionStatus, size, 0, 8);
AT(OrchSessionStatus, flags, 8, 4);
AT(OrchSessionStatus, pid, 12, 4);
AT(OrchSessionStatus, id, 16, 8);
AT(OrchSessionStatus, output_start, 24, 8);
AT(OrchSessionStatus, output_end, 32, 8);
AT(OrchSessionStatus, output_consumed, 40, 8);
AT(OrchSessionStatus, input_queued, 48, 8);
AT(OrchSessionStatus, exit_code, 56, 4);
AT(OrchSessionStatus, exit_signal, 60, 4);
AT(OrchSessionStatus, window, 64, 8);
AT(OrchReaderOptions, size, 0, 8);
AT(OrchReaderOptions, mode, 8, 4);
AT(OrchReaderOptions, flags, 12, 4);
AT(OrchReaderOptions, offset, 16, 8);
AT(OrchReaderOptions, user_data, 24, 8);
AT(OrchMetrics, size, 0, 8);
AT(OrchMetrics, sessions_active, 8, 8);
AT(OrchMetrics, sessions, 16, 8);
AT(OrchMetrics, output_bytes, 24, 8);
AT(OrchMetrics, reads, 32, 8);
AT(OrchMetrics, input_bytes, 40, 8);
AT(OrchMetrics, input_dropped_bytes, 48, 8);
AT(OrchMetrics, pauses, 56, 8);
AT(OrchMetrics, paused, 64, 8);
AT(OrchMetrics, gaps, 72, 8);
AT(OrchMetrics, gap_bytes, 80, 8);
AT(OrchMetrics, viewers_demoted, 88, 8);
AT(OrchMetrics, orphans, 96, 8);
AT(OrchMetrics, pool_bytes, 104, 8);
AT(OrchMetrics, pool_limit_bytes, 112, 8);
AT(OrchMetrics, dispatch_turns, 120, 8);
AT(OrchMetrics, spawn_p50_ns, 128, 8);
AT(OrchMetrics, spawn_p99_ns, 136, 8);
AT(OrchMetrics, write_p50_ns, 144, 8);
AT(OrchMetrics, write_p99_ns, 152, 8);
AT(OrchServerOptions, size, 0, 8);
AT(OrchServerOptions, token, 8, 8);
AT(OrchServerOptions, session, 16, 8);
AT(OrchServerOptions, sizes, 24, 4);
AT(OrchServerOptions, reserved, 28, 4);
AT(OrchServerOptions, ended_kept_ns, 32, 8);
AT(OrchServerOptions, pack_from_ns, 40, 8);
AT(OrchServerCounts, size, 0, 8);
AT(OrchServerCounts, links, 8, 8);
AT(OrchServerCounts, clients, 16, 8);
AT(OrchServerCounts, links_total, 24, 8);
AT(OrchServerCounts, sessions, 32, 8);
AT(OrchServerCounts, refusals, 40, 8);
AT(OrchBatchOptions, size, 0, 8);
AT(OrchBatchOptions, mode, 8, 4);
AT(OrchBatchOptions, class_, 12, 4);
AT(OrchBatchOptions, within_ms, 16, 4);
AT(OrchBatchOptions, reserved, 20, 4);
AT(OrchBatchOptions, key, 24, 8);
AT(OrchSessionInfo, size, 0, 8);
AT(OrchSessionInfo, flags, 8, 4);
AT(OrchSessionInfo, viewers, 12, 4);
AT(OrchSessionInfo, session, 16, 8);
AT(OrchSessionInfo, output_end, 24, 8);
AT(OrchSessionInfo, age_ns, 32, 8);
AT(OrchSessionInfo, title, 40, 16);
AT(OrchSessionInfo, program, 56, 16);
AT(OrchSessionInfo, exit_code, 72, 4);
AT(OrchSessionInfo, exit_signal, 76, 4);
AT(OrchSessionInfo, window, 80, 8);
AT(OrchOutcome, size, 0, 8);
AT(OrchOutcome, at, 8, 4);
AT(OrchOutcome, kind, 12, 4);
AT(OrchOutcome, flags, 16, 4);
AT(OrchOutcome, pid, 20, 4);
AT(OrchOutcome, session, 24, 8);
AT(OrchOutcome, data, 32, 16);
AT(OrchOutcome, code, 48, 16);
AT(OrchOutcome, message, 64, 16);
AT(OrchOutcome, info, 80, 8);
AT(OrchClientOptions, size, 0, 8);
AT(OrchClientOptions, pass, 8, 8);
AT(OrchClientOptions, authority, 16, 8);
AT(OrchClientOptions, name, 24, 8);
AT(OrchClientOptions, framing, 32, 4);
AT(OrchClientOptions, flags, 36, 4);
AT(OrchClientOptions, seed, 40, 8);
AT(OrchClientOptions, credit_bytes, 48, 4);
AT(OrchClientOptions, reserved, 52, 4);
AT(OrchClientOptions, input_bytes, 56, 8);
AT(OrchClientEvent, size, 0, 8);
AT(OrchClientEvent, kind, 8, 4);
AT(OrchClientEvent, flags, 12, 4);
AT(OrchClientEvent, session, 16, 8);
AT(OrchClientEvent, number, 24, 8);
AT(OrchClientEvent, from, 32, 8);
AT(OrchClientEvent, to, 40, 8);
AT(OrchClientEvent, at_ns, 48, 8);
AT(OrchClientEvent, data, 56, 16);
AT(OrchClientEvent, code, 72, 16);
AT(OrchClientEvent, message, 88, 16);
AT(OrchClientEvent, sessions, 104, 8);
AT(OrchClientEvent, sessions_len, 112, 8);
AT(OrchClientEvent, exit_code, 120, 4);
AT(OrchClientEvent, exit_signal, 124, 4);
AT(OrchClientEvent, window, 128, 8);
AT(OrchClientEvent, stream, 136, 2);
AT(OrchClientEvent, reserved, 138, 2);
AT(OrchClientEvent, role, 140, 4);
AT(OrchClientEvent, past, 144, 4);
AT(OrchClientEvent, act, 148, 4);
AT(OrchClientEvent, viewers, 152, 4);
AT(OrchClientEvent, pid, 156, 4);
AT(OrchAttachOptions, size, 0, 8);
AT(OrchAttachOptions, session, 8, 8);
AT(OrchAttachOptions, offset, 16, 8);
AT(OrchAttachOptions, tail_bytes, 24, 8);
AT(OrchAttachOptions, window, 32, 8);
AT(OrchAttachOptions, role_plus_1, 40, 4);
AT(OrchAttachOptions, policy, 44, 4);

#endif

int main(void)
{
    puts("ok every_field_is_where_it_was");
    return 0;
}
