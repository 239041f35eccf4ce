/* The generator stands in for the course's tables, so it must be repeatable and look like them. What could go wrong:
 * a row that is not JSON or lacks a column, another row on the next run, posts before joining, dirt in combinations
 * or at rates that the tables do not have. How: parse whole chapters with an independent reader and count; bounds
 * are some five standard deviations wide, and the seeds are fixed. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "source/parts.h"

enum { CHAPTER = 11154 };

static struct source *open_demo(uint64_t seed, enum source_order order, bool clean)
{
    struct source_options options = {"demo", order, seed, clean};
    struct source *source = NULL;

    assert_int_equal(source_open(&source, &options), ERR_OK);
    return source;
}

static struct post next(struct source *source)
{
    struct post post;

    assert_int_equal(source_next(source, &post), ERR_OK);
    return post;
}

/* Parse a row and check names, order and types of its columns: s text, i whole number, r real. */
static json_t *parse(struct bytes row, const char *columns, const char *types)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)row.at, row.size, JSON_REJECT_DUPLICATES, &error);
    const char *key;
    json_t *value;
    char names[512] = "";

    if (!object)
        fail_msg("%s in %.*s", error.text, (int)row.size, row.at);
    json_object_foreach(object, key, value)
    {
        strcat(strcat(names, *names ? " " : ""), key);
        assert_true(*types == 's'   ? json_is_string(value)
                    : *types == 'i' ? json_is_integer(value)
                                    : json_is_real(value));
        types++;
    }
    assert_string_equal(names, columns);
    return object;
}

static json_t *parse_pin(struct bytes row)
{
    return parse(
        row,
        "index unique_id title description poster_name follower_count tag_list is_image_or_video image_src "
        "downloaded save_location category",
        "issssssssiss");
}

static json_t *parse_geo(struct bytes row)
{
    return parse(row, "ind timestamp latitude longitude country", "isrrs");
}

static json_t *parse_user(struct bytes row)
{
    return parse(row, "ind first_name last_name age date_joined", "issis");
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool is(const json_t *object, const char *key, const char *text)
{
    return strcmp(text_of(object, key), text) == 0;
}

/* Characters, not bytes. */
static size_t length(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static void the_same_seed_gives_the_same_posts(void **state)
{
    struct source *once = open_demo(7, SOURCE_EACH_ONCE, false),
                  *again = open_demo(7, SOURCE_EACH_ONCE, false);
    struct source *other = open_demo(8, SOURCE_EACH_ONCE, false);
    int differ = 0;

    for (int i = 0; i < 2 * CHAPTER; i++) {
        struct post a = next(once), b = next(again), c = next(other);
        assert_int_equal(a.index, i);
        assert_true(bytes_equal(a.pin, b.pin) && bytes_equal(a.geo, b.geo) && bytes_equal(a.user, b.user));
        differ += !bytes_equal(a.pin, c.pin);
    }
    assert_int_equal(differ, 2 * CHAPTER);
    source_close(once);
    source_close(again);
    source_close(other);
}

/* Post k is the same whether or not the posts before it were made. */
static void course_order_draws_the_same_posts(void **state)
{
    struct source *ordered = open_demo(COURSE_SEED, SOURCE_EACH_ONCE, false);
    struct source *course = open_demo(COURSE_SEED, SOURCE_COURSE, false);
    struct post drawn = next(course), post;

    assert_int_equal(drawn.index, 7528);
    do {
        post = next(ordered);
    } while (post.index < 7528);
    assert_true(bytes_equal(post.pin, drawn.pin));
    assert_true(bytes_equal(post.geo, drawn.geo));
    assert_true(bytes_equal(post.user, drawn.user));
    assert_int_equal(next(course).index, 2863);
    assert_int_equal(source_count(ordered), -1);
    source_close(ordered);
    source_close(course);
}

struct dirt_counts {
    int stories, videos, images, story_texts, broken, no_image, no_description, untitled, no_tags, thousands,
        plain, millions, cut, foreign, newlines;
};

static void check_followers(struct dirt_counts *counts, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    assert_true(end > text && number >= 0);
    if (strcmp(end, "k") == 0) {
        assert_true(number >= 1 && number <= 985);
        counts->thousands++;
    } else if (strcmp(end, "M") == 0) {
        assert_true(number >= 1 && number <= 15);
        counts->millions++;
    } else {
        assert_string_equal(end, "");
        assert_true(number <= 940);
        counts->plain++;
    }
}

static void check_tags(const char *tags)
{
    int commas = 0;

    for (const char *at = tags; (at = strchr(at, ',')); at++)
        commas++;
    assert_in_range(commas, 7, 8);
}

static void check_description(struct dirt_counts *counts, const char *text, bool story)
{
    bool is_story_text = strcmp(text, "No description available Story format") == 0;

    assert_in_range(length(text), 1, 180);
    assert_int_equal(is_story_text, story);
    counts->story_texts += is_story_text;
    counts->no_description += strcmp(text, "No description available") == 0;
    counts->untitled += strcmp(text, "Untitled") == 0;
    if (length(text) >= 179 && strcmp(text + strlen(text) - 5, "\u2026\u00a0") == 0) {
        assert_int_equal(length(text), 180);
        counts->cut++;
    }
}

static void check_pin(struct dirt_counts *counts, const json_t *pin)
{
    bool broken = is(pin, "title", "No Title Data Available"),
         no_image = is(pin, "image_src", "Image src error.");
    bool no_tags = is(pin, "tag_list", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e");
    bool story = is(pin, "is_image_or_video", "multi-video(story page format)");
    char path[64];

    counts->stories += story;
    counts->videos += is(pin, "is_image_or_video", "video");
    counts->images += is(pin, "is_image_or_video", "image");
    counts->broken += broken;
    counts->no_image += no_image;
    counts->no_tags += no_tags;
    assert_int_equal(strlen(text_of(pin, "unique_id")), 36);
    assert_in_range(length(text_of(pin, "title")), 1, 199);
    assert_in_range(length(text_of(pin, "poster_name")), 1, 113);
    counts->newlines += strchr(text_of(pin, "title"), '\n') != NULL;
    counts->foreign += length(text_of(pin, "title")) != strlen(text_of(pin, "title"));
    assert_int_equal(json_integer_value(json_object_get(pin, "downloaded")), no_image ? 0 : 1);
    assert_true(no_image || strncmp(text_of(pin, "image_src"), "https://i.pinrail.example/", 26) == 0);
    snprintf(path, sizeof(path), "Local save in /data/%s", text_of(pin, "category"));
    assert_string_equal(text_of(pin, "save_location"), path);
    assert_true(story || !no_image);
    assert_int_equal(is(pin, "poster_name", "User Info Error"), broken);
    assert_int_equal(is(pin, "follower_count", "User Info Error"), broken);
    if (broken)
        assert_true(no_image && no_tags);
    else
        check_followers(counts, text_of(pin, "follower_count"));
    if (!no_tags)
        check_tags(text_of(pin, "tag_list"));
    check_description(counts, text_of(pin, "description"), story);
}

/* `counted` of `of` posts, against `rows` of the 1,444 that were counted in the real table. */
static void check_rate(const char *what, int counted, int of, int rows)
{
    double share = rows / 1444.0, expected = of * share;
    double most = 5 * __builtin_sqrt(expected * (1 - share)) + 1;

    if (counted < expected - most || counted > expected + most)
        fail_msg("%s: %d, expected %.0f, give or take %.0f", what, counted, expected, most);
}

static void pins_have_the_tables_dirt(void **state)
{
    enum { POSTS = 5 * CHAPTER };
    struct source *source = open_demo(1, SOURCE_EACH_ONCE, false);
    struct dirt_counts counts = {0};

    for (int i = 0; i < POSTS; i++) {
        json_t *pin = parse_pin(next(source).pin);
        check_pin(&counts, pin);
        json_decref(pin);
    }
    check_rate("multi-video", counts.stories, POSTS, 99);
    check_rate("video", counts.videos, POSTS, 40);
    check_rate("image", counts.images, POSTS, 1305);
    check_rate("story descriptions", counts.story_texts, POSTS, 99);
    check_rate("broken rows", counts.broken, POSTS, 14);
    check_rate("no image", counts.no_image, POSTS, 33);
    check_rate("no description", counts.no_description, POSTS, 21);
    check_rate("untitled", counts.untitled, POSTS, 1);
    check_rate("no tags", counts.no_tags, POSTS, 20);
    /* A few posters post a lot, and each keeps its followers: 75, 17 and 7 % in the real table, but not as firmly. */
    assert_in_range(counts.thousands, POSTS * 69 / 100, POSTS * 80 / 100);
    assert_in_range(counts.plain, POSTS * 12 / 100, POSTS * 22 / 100);
    assert_in_range(counts.millions, POSTS * 4 / 100, POSTS * 10 / 100);
    assert_in_range(counts.cut, POSTS / 4, POSTS * 45 / 100);
    assert_in_range(counts.foreign, POSTS * 6 / 100, POSTS * 14 / 100);
    assert_in_range(counts.newlines, 20, 400);
    source_close(source);
}

static void clean_leaves_no_placeholder(void **state)
{
    struct source *source = open_demo(1, SOURCE_EACH_ONCE, true);

    for (int i = 0; i < CHAPTER; i++) {
        struct post post = next(source);
        json_t *pin = parse_pin(post.pin);
        assert_false(is(pin, "title", "No Title Data Available") ||
                     is(pin, "image_src", "Image src error.") || is(pin, "description", "Untitled") ||
                     is(pin, "poster_name", "User Info Error") ||
                     strncmp(text_of(pin, "description"), "No description", 14) == 0 ||
                     strncmp(text_of(pin, "tag_list"), "N,o", 3) == 0);
        json_decref(pin);
    }
    source_close(source);
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* How many different texts, and how often the most frequent stands there. Sorts the list. */
static void count_same(char **list, size_t count, int *different, int *most)
{
    int run = 0;

    qsort(list, count, sizeof(*list), compare_rows);
    *different = *most = 0;
    for (size_t i = 0; i < count; i++) {
        run = i > 0 && strcmp(list[i - 1], list[i]) == 0 ? run + 1 : 1;
        *different += run == 1;
        *most = run > *most ? run : *most;
    }
}

static void people_and_places_have_the_tables_shape(void **state)
{
    struct source *source = open_demo(3, SOURCE_EACH_ONCE, false);
    static char *people[CHAPTER], *countries[CHAPTER];
    int young = 0, twenty = 0, old = 0, joined_2015 = 0, different, most;

    for (int i = 0; i < CHAPTER; i++) {
        struct post post = next(source);
        json_t *geo = parse_geo(post.geo), *user = parse_user(post.user);
        double latitude = json_real_value(json_object_get(geo, "latitude"));
        double longitude = json_real_value(json_object_get(geo, "longitude"));
        int64_t age = json_integer_value(json_object_get(user, "age"));

        assert_int_equal(json_integer_value(json_object_get(geo, "ind")), i);
        assert_int_equal(json_integer_value(json_object_get(user, "ind")), i);
        assert_true(strcmp(text_of(geo, "timestamp"), "2017-10-19T15:13:42") >= 0);
        assert_true(strcmp(text_of(geo, "timestamp"), "2022-10-19T17:54:26") <= 0);
        assert_true(strcmp(text_of(user, "date_joined"), "2015-10-21T03:17:47") >= 0);
        assert_true(strcmp(text_of(user, "date_joined"), "2017-10-20T10:44:26") <= 0);
        assert_true(strcmp(text_of(geo, "timestamp"), text_of(user, "date_joined")) >= 0);
        assert_true(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180);
        assert_in_range(age, 20, 60);
        young += age <= 24;
        twenty += age == 20;
        old += age > 50;
        joined_2015 += strncmp(text_of(user, "date_joined"), "2015", 4) == 0;
        countries[i] = strdup(text_of(geo, "country"));
        json_object_del(user, "ind");
        people[i] = json_dumps(user, JSON_COMPACT);
        json_decref(geo);
        json_decref(user);
    }
    assert_in_range(young, CHAPTER * 36 / 100, CHAPTER * 52 / 100);       /* 4916 in the real table */
    assert_in_range(twenty, CHAPTER * 12 / 100, CHAPTER * 25 / 100);      /* 2126 */
    assert_in_range(old, CHAPTER * 5 / 100, CHAPTER * 13 / 100);          /* 1008 */
    assert_in_range(joined_2015, CHAPTER * 30 / 100, CHAPTER * 50 / 100); /* 4507 */
    count_same(people, CHAPTER, &different, &most);
    assert_in_range(different, 4700, 5900); /* 5307 */
    assert_in_range(most, 40, 244);         /* 244 */
    count_same(countries, CHAPTER, &different, &most);
    assert_int_equal(different, 243);
    assert_in_range(most, 150, 900); /* 563 */
    for (int i = 0; i < CHAPTER; i++) {
        free(people[i]);
        free(countries[i]);
    }
    source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_posts),
        cmocka_unit_test(course_order_draws_the_same_posts),
        cmocka_unit_test(pins_have_the_tables_dirt),
        cmocka_unit_test(clean_leaves_no_placeholder),
        cmocka_unit_test(people_and_places_have_the_tables_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
