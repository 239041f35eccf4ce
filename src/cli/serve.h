/* serve.h - the two processes, and what watches over them. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "base/config.h"

/* The ingest process: log and doors. Returns the exit status after SIGTERM. */
int serve_ingest(const struct config *config);
/* The lakehouse process: lake, stream, schedule, dashboard. */
int serve_lakehouse(const struct config *config);

/* Write DIR/run/<name> with one line. */
enum err serve_note(const struct config *config, const char *name, long number);
/* ERR_DENIED when the address is not loopback: no authentication is built yet, so no other address is served. */
enum err serve_check_address(const struct config *config, const char *door);

/* The supervisor, for commands that bring up a pipeline of their own (demo): start both processes of this
 * configuration and keep them up from a thread of ours until stopped. */
struct supervisor;
enum err supervisor_start(struct supervisor **out, const struct config *config);
/* Both doors and the page answer /readyz. ERR_BUSY after `timeout_ms`. */
enum err supervisor_wait_ready(struct supervisor *supervisor, int timeout_ms);
/* SIGTERM to the lakehouse, then to ingest; waits for both (15 s each, then SIGKILL). The exit status of the first that
 * did not end well, EX_OK when both did, or when `supervisor` is NULL. */
int supervisor_stop(struct supervisor *supervisor);

#endif
