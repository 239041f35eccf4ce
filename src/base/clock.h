/* clock.h - the time, in the units everything here uses. Any thread may call. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970 UTC: the time of records, commits and trace lines. */
int64_t clock_wall_ms(void);
/* Microseconds since 1970 UTC. */
int64_t clock_wall_us(void);
/* Milliseconds on a clock that never jumps: for timeouts and rates. */
int64_t clock_steady_ms(void);
int64_t clock_steady_us(void);
/* Sleep; a signal may end it early. */
void clock_sleep_ms(int64_t ms);

#endif
