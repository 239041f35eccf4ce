/* trace.c - one line to stderr in one write, so that lines of threads and processes never mix. */
#include "base/trace.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int most_detail = TRACE_INFO;

void trace_set_level(enum trace_level level)
{
    most_detail = (int)level;
}

void trace_line(enum trace_level level, const char *stage, const char *format, ...)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    char line[2048];
    struct timespec now;
    struct tm utc;
    size_t size;
    int length;
    va_list args;

    if ((int)level > most_detail)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    length = snprintf(line + size, sizeof(line) - size, ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
                      names[level], stage);
    size += (size_t)length;
    va_start(args, format);
    length = vsnprintf(line + size, sizeof(line) - size - 1, format, args);
    va_end(args);
    if (length < 0)
        return;
    size = size + (size_t)length < sizeof(line) - 2 ? size + (size_t)length : sizeof(line) - 2;
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* nowhere left to say so */
}
