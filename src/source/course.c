/* course.c - the rows that the course's script draws.
 *
 * The script seeds Python's generator with 100 and then, for ever, draws randrange(0, 2) for its pause and
 * randint(0, 11000) for its row. So everybody's data are a prefix of one sequence: 7528, 2863, 5730, 8304, ...
 * Python's generator is MT19937 (Matsumoto and Nishimura 1998), seeded by the words of the whole number, lowest
 * first; a draw below n takes as many of the highest bits of a word as n has, again and again until it is below n. */
#include <assert.h>

#include "source/parts.h"

enum { TWISTER_SHIFT = 397 };

static void seed_word(uint32_t *state, uint32_t seed)
{
    state[0] = seed;
    for (uint32_t i = 1; i < TWISTER_WORDS; i++)
        state[i] = 1812433253u * (state[i - 1] ^ state[i - 1] >> 30) + i;
}

void course_seed(struct course *course, uint64_t seed)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t key_words = key[1] ? 2 : 1;
    uint32_t *state = course->state;
    uint32_t i = 1, k = 0;

    seed_word(state, 19650218u);
    for (int round = 0; round < TWISTER_WORDS; round++) {
        state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) * 1664525u) + key[k] + k;
        k = (k + 1) % key_words;
        if (++i == TWISTER_WORDS) {
            state[0] = state[TWISTER_WORDS - 1];
            i = 1;
        }
    }
    for (int round = 0; round < TWISTER_WORDS - 1; round++) {
        state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) * 1566083941u) - i;
        if (++i == TWISTER_WORDS) {
            state[0] = state[TWISTER_WORDS - 1];
            i = 1;
        }
    }
    state[0] = 0x80000000u;
    course->used = TWISTER_WORDS;
}

static void twist(uint32_t *state)
{
    for (int i = 0; i < TWISTER_WORDS; i++) {
        uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % TWISTER_WORDS] & 0x7fffffffu);
        state[i] = state[(i + TWISTER_SHIFT) % TWISTER_WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

static uint32_t next_word(struct course *course)
{
    uint32_t y;

    if (course->used == TWISTER_WORDS) {
        twist(course->state);
        course->used = 0;
    }
    y = course->state[course->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

uint32_t course_below(struct course *course, uint32_t below)
{
    int spare;
    uint32_t drawn;

    assert(below > 0);
    spare = __builtin_clz(below);
    do {
        drawn = next_word(course) >> spare;
    } while (drawn >= below);
    return drawn;
}

int64_t course_next(struct course *course)
{
    course_below(course, 2); /* the pause: not slept here, but drawn */
    return course_below(course, COURSE_LAST + 1);
}
