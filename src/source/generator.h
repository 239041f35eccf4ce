/* generator.h - what the two halves of the generator share: generator.c (people, places) and pin.c (posts). */
#ifndef SOURCE_GENERATOR_H
#define SOURCE_GENERATOR_H

#include "source/words.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* ---- chance: splitmix64 (Steele, Lea, Flood 2014), so that any post can be made without those before it ---- */

struct dice {
    uint64_t state;
};

static inline uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Dice of their own for item `item` of kind `kind` under `seed`. */
static inline struct dice dice_for(uint64_t seed, uint64_t kind, uint64_t item)
{
    return (struct dice){mix(seed + kind * 0x9e3779b97f4a7c15u) ^ mix(item * 0xd1342543de82ef95u + kind)};
}

static inline uint64_t roll(struct dice *dice)
{
    return mix(dice->state += 0x9e3779b97f4a7c15u);
}

static inline uint32_t roll_below(struct dice *dice, uint32_t below)
{
    return (uint32_t)((roll(dice) >> 32) * below >> 32);
}

/* [0, 1) */
static inline double roll_share(struct dice *dice)
{
    return (double)(roll(dice) >> 11) * 0x1p-53;
}

/* True `parts` times in a million. */
static inline bool roll_chance(struct dice *dice, uint32_t parts)
{
    return roll_below(dice, 1000000) < parts;
}

static inline struct word roll_word(struct dice *dice, const struct words *words)
{
    return words->list[roll_below(dice, (uint32_t)words->count)];
}

/* ---- a row being written: room for the longest row there can be, checked all the same ---- */

enum { ROW_ROOM = 8192 };

struct row {
    size_t size;
    char at[ROW_ROOM];
};

static inline void row_add(struct row *row, const void *at, size_t size)
{
    assert(size <= ROW_ROOM - row->size);
    memcpy(row->at + row->size, at, size);
    row->size += size;
}

static inline void row_char(struct row *row, char c)
{
    row_add(row, &c, 1);
}

#define row_text(row, literal) row_add((row), "" literal, sizeof(literal) - 1)

static inline void row_word(struct row *row, struct word word)
{
    row_add(row, word.at, word.size);
}

/* In decimal, with leading zeros up to `width` digits. */
void row_number(struct row *row, int64_t number, int width);
/* What `text` holds as a JSON string, quotes included. */
void row_quoted(struct row *row, const struct row *text);

/* ---- pin.c ---- */

/* The pin of that index. `first` is the lowest index whose content it may repeat. */
void pin_write(struct row *row, uint64_t seed, int64_t index, int64_t first, bool clean);

#endif
