/* trace.h - what we tell operators, on stderr. ("log" is data here.)
 *
 * A line is `2026-11-21T10:00:00.123Z LEVEL stage: sentence`. Secrets never go into one. Any thread may call. */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

enum trace_level { TRACE_ERROR, TRACE_WARN, TRACE_INFO, TRACE_DEBUG };

/* Lines above `level` are dropped; the default is TRACE_INFO. */
void trace_set_level(enum trace_level level);

void trace_line(enum trace_level level, const char *stage, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define trace_error(stage, ...) trace_line(TRACE_ERROR, stage, __VA_ARGS__)
#define trace_warn(stage, ...)  trace_line(TRACE_WARN, stage, __VA_ARGS__)
#define trace_info(stage, ...)  trace_line(TRACE_INFO, stage, __VA_ARGS__)
#define trace_debug(stage, ...) trace_line(TRACE_DEBUG, stage, __VA_ARGS__)

#endif
