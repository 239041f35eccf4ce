/* words.h - what the generator's texts are made of. All of it is our own; no post was copied. */
#ifndef SOURCE_WORDS_H
#define SOURCE_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct word {
    const char *at;
    size_t size;
};

struct words {
    const struct word *list;
    size_t count;
};

#define WORD(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
#define WORDS(list)                                                                                          \
    {                                                                                                        \
        list, sizeof(list) / sizeof(*(list))                                                                 \
    }

/* words_people.c; alphabetical */
extern const struct words first_names, last_names, countries;

/* words_posts.c */
struct category {
    struct word name;
    unsigned weight;       /* posts in a thousand */
    struct words subjects; /* in title case */
};
enum { CATEGORY_COUNT = 13 };
extern const struct category categories[CATEGORY_COUNT];
extern const struct words adjectives, audiences, tag_endings, title_endings, foreign_titles, emoji;
extern const struct words shop_nouns, shop_endings;
/* In these a % stands for the subject in lower case. */
extern const struct words sentences, odd_descriptions;

#endif
