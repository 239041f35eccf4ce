/* generator.c - a seeded, endless supply of posts that look like the course's tables.
 *
 * Post k is a pure function of seed and k. Posts come in chapters of 11,154, the size of those tables, and each
 * chapter has people of its own, about 5,300: most own one post, a few own dozens, one up to 244. What is told of a
 * person of n posts (name, age, joining date, place) is the lowest of n draws, which gives the tables' shape: ages
 * lean to 20, countries and names to the alphabet's start, dates to the first weeks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "source/generator.h"
#include "source/parts.h"

enum {
    CHAPTER_POSTS = 11154,
    PERSON_POSTS_MOST = 244,
    PLACE_TEXT = 12,
    TIME_TEXT = 20,
    SECONDS_A_DAY = 86400,
};

/* Seconds since 1970 UTC. */
#define JOINED_FIRST 1445397467 /* 2015-10-21 03:17:47 */
#define JOINED_LAST  1508496266 /* 2017-10-20 10:44:26 */
#define POSTED_FIRST 1508426022 /* 2017-10-19 15:13:42 */
#define POSTED_LAST  1666202066 /* 2022-10-19 17:54:26 */

/* What the dice are for: kinds of dice_for(). */
enum { DICE_CHAPTER = 1, DICE_PERSON, DICE_POSTED };

struct person {
    const struct word *first_name, *last_name, *country;
    int64_t joined;
    int age;
    char joined_text[TIME_TEXT], latitude[PLACE_TEXT], longitude[PLACE_TEXT];
};

struct generator {
    struct source source;
    uint64_t seed;
    bool clean;
    enum source_order order;
    struct course course;
    int64_t next_index;
    int64_t chapter; /* the one whose people are below; -1: none yet */
    struct row pin, geo, user;
    uint16_t owner[CHAPTER_POSTS]; /* place in the chapter -> person */
    struct person people[CHAPTER_POSTS];
};

void row_number(struct row *row, int64_t number, int width)
{
    char digits[20];
    int count = 0;

    assert(number >= 0);
    do {
        digits[sizeof(digits) - (size_t)++count] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || count < width);
    row_add(row, digits + sizeof(digits) - count, (size_t)count);
}

void row_quoted(struct row *row, const struct row *text)
{
    row_char(row, '"');
    for (size_t i = 0; i < text->size; i++) {
        char c = text->at[i];
        if (c == '"' || c == '\\') {
            row_char(row, '\\');
            row_char(row, c);
        } else if (c == '\n') {
            row_text(row, "\\n");
        } else {
            assert((unsigned char)c >= ' ');
            row_char(row, c);
        }
    }
    row_char(row, '"');
}

/* Year, month and day of a day number, after Hinnant's "chrono-compatible low-level date algorithms": years begin
 * in March, so that the leap day comes last. */
static void date_of_day(int64_t day, int *year, int *month, int *day_of_month)
{
    int64_t shifted = day + 719468;
    int64_t era = shifted / 146097, in_era = shifted % 146097;
    int64_t year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;

    *day_of_month = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* YYYY-MM-DDTHH:MM:SS */
static void row_time(struct row *row, int64_t seconds)
{
    int64_t rest = seconds % SECONDS_A_DAY;
    int year, month, day;

    date_of_day(seconds / SECONDS_A_DAY, &year, &month, &day);
    row_number(row, year, 4);
    row_char(row, '-');
    row_number(row, month, 2);
    row_char(row, '-');
    row_number(row, day, 2);
    row_char(row, 'T');
    row_number(row, rest / 3600, 2);
    row_char(row, ':');
    row_number(row, rest / 60 % 60, 2);
    row_char(row, ':');
    row_number(row, rest % 60, 2);
}

/* A degree as a FLOAT column prints it: at most six significant digits, no zeros at the end. */
static void degree_text(char text[PLACE_TEXT], double degree)
{
    double size = fabs(degree);
    char *end;
    int decimals = size >= 100 ? 3 : size >= 10 ? 4 : 5;

    end = text + snprintf(text, PLACE_TEXT, "%.*f", decimals, degree);
    while (end[-1] == '0' && end[-2] != '.')
        *--end = 0;
}

/* The lowest of `draws` shares drawn. */
static double lowest_share(struct dice *dice, int draws)
{
    return 1 - pow(1 - roll_share(dice), 1.0 / draws);
}

static const struct word *lowest_word(struct dice *dice, int draws, const struct words *words)
{
    return &words->list[(size_t)(lowest_share(dice, draws) * (double)words->count)];
}

static void make_person(struct person *person, struct dice dice, int posts)
{
    struct row text = {.size = 0};

    person->first_name = lowest_word(&dice, posts, &first_names);
    person->last_name = lowest_word(&dice, posts, &last_names);
    person->country = lowest_word(&dice, posts, &countries);
    person->age = 20 + (int)(lowest_share(&dice, posts) * 41);
    person->joined = JOINED_FIRST + (int64_t)(lowest_share(&dice, posts) * (JOINED_LAST - JOINED_FIRST + 1));
    row_time(&text, person->joined);
    memcpy(person->joined_text, text.at, text.size);
    person->joined_text[text.size] = 0;
    degree_text(person->latitude, -89.9796 + lowest_share(&dice, posts) * (89.9946 + 89.9796));
    degree_text(person->longitude, -179.908 + lowest_share(&dice, posts) * (179.935 + 179.908));
}

/* The people of a chapter, and who owns which of its posts. */
static void make_chapter(struct generator *generator, int64_t chapter)
{
    struct dice dice = dice_for(generator->seed, DICE_CHAPTER, (uint64_t)chapter);
    uint32_t given = 0;

    for (uint16_t p = 0; given < CHAPTER_POSTS; p++) {
        /* Posts a person follow a power law: one in two thirds of the cases. */
        double posts = pow(1 - roll_share(&dice), -1 / 1.65);
        uint32_t count = posts < PERSON_POSTS_MOST ? (uint32_t)posts : PERSON_POSTS_MOST;
        if (count > CHAPTER_POSTS - given)
            count = CHAPTER_POSTS - given;
        make_person(&generator->people[p],
                    dice_for(generator->seed, DICE_PERSON, (uint64_t)(chapter * CHAPTER_POSTS + p)),
                    (int)count);
        for (uint32_t i = 0; i < count; i++)
            generator->owner[given++] = p;
    }
    for (uint32_t i = CHAPTER_POSTS - 1; i > 0; i--) {
        uint32_t other = roll_below(&dice, i + 1);
        uint16_t owner = generator->owner[i];
        generator->owner[i] = generator->owner[other];
        generator->owner[other] = owner;
    }
    generator->chapter = chapter;
}

static void geo_write(struct row *row, uint64_t seed, int64_t index, const struct person *owner)
{
    struct dice dice = dice_for(seed, DICE_POSTED, (uint64_t)index);
    /* Nobody posts before joining. */
    int64_t from = owner->joined > POSTED_FIRST ? owner->joined : POSTED_FIRST;

    row->size = 0;
    row_text(row, "{\"ind\":");
    row_number(row, index, 1);
    row_text(row, ",\"timestamp\":\"");
    row_time(row, from + (int64_t)(roll_share(&dice) * (double)(POSTED_LAST - from + 1)));
    row_text(row, "\",\"latitude\":");
    row_add(row, owner->latitude, strlen(owner->latitude));
    row_text(row, ",\"longitude\":");
    row_add(row, owner->longitude, strlen(owner->longitude));
    row_text(row, ",\"country\":\"");
    row_word(row, *owner->country);
    row_text(row, "\"}");
}

static void user_write(struct row *row, int64_t index, const struct person *owner)
{
    row->size = 0;
    row_text(row, "{\"ind\":");
    row_number(row, index, 1);
    row_text(row, ",\"first_name\":\"");
    row_word(row, *owner->first_name);
    row_text(row, "\",\"last_name\":\"");
    row_word(row, *owner->last_name);
    row_text(row, "\",\"age\":");
    row_number(row, owner->age, 1);
    row_text(row, ",\"date_joined\":\"");
    row_add(row, owner->joined_text, strlen(owner->joined_text));
    row_text(row, "\"}");
}

static enum err generator_next(struct source *source, struct post *out)
{
    struct generator *generator = (struct generator *)source;
    int64_t index =
        generator->order == SOURCE_COURSE ? course_next(&generator->course) : generator->next_index++;
    int64_t chapter = index / CHAPTER_POSTS;
    const struct person *owner;

    if (chapter != generator->chapter)
        make_chapter(generator, chapter);
    owner = &generator->people[generator->owner[index % CHAPTER_POSTS]];
    pin_write(&generator->pin, generator->seed, index, chapter * CHAPTER_POSTS, generator->clean);
    geo_write(&generator->geo, generator->seed, index, owner);
    user_write(&generator->user, index, owner);
    out->index = index;
    out->pin = bytes_of(generator->pin.at, generator->pin.size);
    out->geo = bytes_of(generator->geo.at, generator->geo.size);
    out->user = bytes_of(generator->user.at, generator->user.size);
    return ERR_OK;
}

static void generator_close(struct source *source)
{
    free(source);
}

enum err generator_open(struct source **out, const struct source_options *options)
{
    struct generator *generator = malloc(sizeof(*generator));

    if (!generator)
        return err_note(ERR_NO_MEMORY, "no memory for the generator");
    generator->source = (struct source){generator_next, generator_close, -1};
    generator->seed = options->seed;
    generator->clean = options->clean;
    generator->order = options->order;
    generator->next_index = 0;
    generator->chapter = -1;
    course_seed(&generator->course, options->seed);
    *out = &generator->source;
    return ERR_OK;
}
