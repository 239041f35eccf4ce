/* pin.c - the posts themselves: text of our own making, dirt of the kinds and at the rates of the course's table.
 *
 * The dirt comes in fixed combinations, counted in 1,444 rows of that table:
 *
 *     kind of post      rows   of which
 *     multi-video       99     all: story description; 14: no title, poster, followers, tags, image; 19: no image
 *     video             40     2: no description; 2: no tags
 *     image             1305   19: no description; 1: "Untitled"; 4: no tags
 *
 * "No image" is the text `Image src error.` and downloaded 0. Eight rows repeat another's content. */
#include "source/generator.h"

enum { DICE_PIN = 16, DICE_ID, DICE_REPEAT, DICE_POSTER };

enum kind { KIND_IMAGE, KIND_VIDEO, KIND_STORY };

enum {
    COUNTED = 1444,
    COUNTED_STORY = 99,
    COUNTED_VIDEO = 40,
    COUNTED_IMAGE = COUNTED - COUNTED_STORY - COUNTED_VIDEO,
    COUNTED_REPEATS = 8,
    TITLE_MOST = 199,       /* characters */
    DESCRIPTION_MOST = 180, /* characters; a longer one is cut to 178 and ends in U+2026 U+00A0 */
    POSTERS = 100000,
    POSTERS_KNOWN = 300, /* post far more often than the others */
    TAGS = 9,
    SENTENCE_STEP = 7,
};

/* What is missing in a post. */
struct dirt {
    bool broken, no_image, no_description, untitled, no_tags;
};

/* True `rows` times in `of`. */
static bool roll_rows(struct dice *dice, uint32_t rows, uint32_t of)
{
    return roll_below(dice, of) < rows;
}

static enum kind roll_kind(struct dice *dice)
{
    uint32_t row = roll_below(dice, COUNTED);

    return row < COUNTED_STORY ? KIND_STORY : row < COUNTED_STORY + COUNTED_VIDEO ? KIND_VIDEO : KIND_IMAGE;
}

static struct dirt roll_dirt(struct dice *dice, enum kind kind)
{
    struct dirt dirt = {false, false, false, false, false};
    uint32_t row;

    switch (kind) {
    case KIND_STORY:
        row = roll_below(dice, COUNTED_STORY);
        dirt.broken = row < 14;
        dirt.no_image = row < 14 + 19;
        dirt.no_description = true;
        dirt.no_tags = dirt.broken;
        break;
    case KIND_VIDEO:
        dirt.no_description = roll_rows(dice, 2, COUNTED_VIDEO);
        dirt.no_tags = roll_rows(dice, 2, COUNTED_VIDEO);
        break;
    case KIND_IMAGE:
        row = roll_below(dice, COUNTED_IMAGE);
        dirt.no_description = row < 19;
        dirt.untitled = row == 19;
        dirt.no_tags = roll_rows(dice, 4, COUNTED_IMAGE);
        break;
    }
    return dirt;
}

static const struct category *roll_category(struct dice *dice)
{
    uint32_t share = roll_below(dice, 1000);
    const struct category *category = categories;

    while (share >= category->weight)
        share -= category++->weight;
    return category;
}

static size_t characters(const struct row *text)
{
    size_t count = 0;

    for (size_t i = 0; i < text->size; i++)
        count += ((unsigned char)text->at[i] & 0xc0) != 0x80;
    return count;
}

/* Cut to the first `most` characters. */
static void cut(struct row *text, size_t most)
{
    size_t count = 0, i = 0;

    for (; i < text->size; i++) {
        count += ((unsigned char)text->at[i] & 0xc0) != 0x80;
        if (count > most)
            break;
    }
    text->size = i;
}

static void add_lower(struct row *text, struct word word)
{
    for (size_t i = 0; i < word.size; i++)
        row_char(text, word.at[i] >= 'A' && word.at[i] <= 'Z' ? (char)(word.at[i] + 32) : word.at[i]);
}

static void add_spaced(struct row *text, struct word word)
{
    row_char(text, ' ');
    row_word(text, word);
}

/* The rarer titles: what a careless reader of text trips over. */
static void write_odd_title(struct row *text, struct dice *dice, struct word subject, uint32_t form)
{
    struct word sign = roll_word(dice, &emoji);

    if (form < 90) { /* other languages and scripts */
        row_word(text, roll_word(dice, &foreign_titles));
        if (form < 30) {
            row_text(text, " |");
            add_spaced(text, subject);
        }
    } else if (form < 100) {
        row_word(text, sign);
        add_lower(text, subject);
        add_spaced(text, sign);
    } else if (form < 110) {
        row_char(text, '"');
        row_word(text, roll_word(dice, &adjectives));
        row_char(text, '"');
        add_spaced(text, subject);
    } else {
        row_word(text, subject);
        row_char(text, '\n');
        row_word(text, roll_word(dice, &title_endings));
    }
}

/* One subject and two to sixteen further words, divided by bars. */
static void write_barred_title(struct row *text, struct dice *dice, struct word subject, int parts)
{
    row_word(text, subject);
    for (int i = 0; i < parts; i++) {
        row_text(text, " |");
        add_spaced(text, roll_word(dice, &adjectives));
        add_spaced(text, roll_word(dice, &tag_endings));
    }
}

static void write_title(struct row *text, struct dice *dice, struct word subject)
{
    uint32_t form = roll_below(dice, 1000);

    text->size = 0;
    if (form < 8)
        row_char(text, ' ');
    if (form < 112) {
        write_odd_title(text, dice, subject, form);
    } else if (form < 300) {
        row_number(text, 3 + roll_below(dice, 98), 1);
        add_spaced(text, roll_word(dice, &adjectives));
        add_spaced(text, subject);
        row_text(text, " for");
        add_spaced(text, roll_word(dice, &audiences));
    } else if (form < 500) {
        row_word(text, roll_word(dice, &adjectives));
        add_spaced(text, subject);
    } else if (form < 700) {
        row_word(text, subject);
        if (form < 517)
            row_char(text, ' '); /* a doubled space now and then */
        add_spaced(text, roll_word(dice, &title_endings));
    } else if (form < 850) {
        row_text(text, "How to Choose");
        add_spaced(text, subject);
        row_text(text, " for");
        add_spaced(text, roll_word(dice, &audiences));
        add_spaced(text, roll_word(dice, &title_endings));
    } else {
        write_barred_title(text, dice, subject, form < 990 ? 1 : 8);
    }
    if (form >= 996)
        row_char(text, ' ');
    cut(text, TITLE_MOST);
}

/* A third of them are longer than a description may be; most others come close to it. */
static void write_description(struct row *text, struct dice *dice, struct word subject)
{
    uint32_t share = roll_below(dice, 1000);
    size_t want = share < 350 ? DESCRIPTION_MOST + 1 : share < 700 ? 130 : 20 + roll_below(dice, 110);
    uint32_t next = roll_below(dice, (uint32_t)sentences.count);
    size_t length = 0;

    text->size = 0;
    if (roll_chance(dice, 8000)) {
        row_word(text, roll_word(dice, &odd_descriptions));
        return;
    }
    while (length < want) {
        struct word sentence = sentences.list[next];
        next = (next + SENTENCE_STEP) % (uint32_t)sentences.count; /* none twice */
        if (length > 0)
            row_char(text, ' ');
        for (size_t i = 0; i < sentence.size; i++) {
            if (sentence.at[i] == '%')
                add_lower(text, subject);
            else
                row_char(text, sentence.at[i]);
        }
        length = characters(text);
    }
    if (length > DESCRIPTION_MOST) {
        cut(text, DESCRIPTION_MOST - 2);
        row_text(text, "\u2026\u00a0");
    }
}

/* A poster's name and followers depend on the poster alone. */
static void write_poster(struct row *name, struct dice dice)
{
    uint32_t form = roll_below(&dice, 100);

    name->size = 0;
    if (form < 25) {
        row_word(name, roll_word(&dice, &first_names));
        add_spaced(name, roll_word(&dice, &last_names));
    } else if (form < 35) {
        row_word(name, roll_word(&dice, &first_names));
        row_text(name, "'s");
        add_spaced(name, roll_word(&dice, &shop_nouns));
        add_spaced(name, roll_word(&dice, &shop_endings));
    } else if (form < 80) {
        row_word(name, roll_word(&dice, form < 45 ? &adjectives : &shop_nouns));
        add_spaced(name, roll_word(&dice, &shop_nouns));
        add_spaced(name, roll_word(&dice, &shop_endings));
    } else {
        row_word(name, roll_word(&dice, &adjectives));
        if (form < 90)
            row_text(name, " &");
        add_spaced(name, roll_word(&dice, &shop_nouns));
        row_char(name, ' ');
        row_number(name, roll_below(&dice, 99), 1);
    }
    if (roll_chance(&dice, 5000))
        row_char(name, ' ');
}

/* A number of one, two or three digits, each as often as `one` and `two` in `of` say; at most `most`. */
static uint32_t roll_digits(struct dice *dice, uint32_t one, uint32_t two, uint32_t of, uint32_t least,
                            uint32_t most)
{
    uint32_t share = roll_below(dice, of);

    if (share < one)
        return least + roll_below(dice, 10 - least);
    if (share < one + two)
        return 10 + roll_below(dice, 90);
    return 100 + roll_below(dice, most - 99);
}

/* `more`: one thousand has come on top since the poster's other posts were read. */
static void write_followers(struct row *row, struct dice dice, bool more)
{
    uint32_t share = roll_below(&dice, 1430);

    if (share < 105) {
        row_number(row, roll_below(&dice, 100) < 4 ? 10 + roll_below(&dice, 6) : 1 + roll_below(&dice, 9), 1);
        row_char(row, 'M');
    } else if (share < 105 + 247) {
        row_number(row, roll_digits(&dice, 34, 49, 179, 0, 940), 1);
    } else {
        row_number(row, roll_digits(&dice, 188, 376, 859, 1, 984) + more, 1);
        row_char(row, 'k');
    }
}

static struct dice roll_poster(uint64_t seed, struct dice *dice)
{
    double share = roll_share(dice);
    uint32_t poster =
        roll_chance(dice, 400000) ? (uint32_t)(share * share * POSTERS_KNOWN) : (uint32_t)(share * POSTERS);

    return dice_for(seed, DICE_POSTER, poster);
}

static void write_tags(struct row *row, struct dice *dice, const struct category *category)
{
    int count = roll_rows(dice, 1, COUNTED) ? TAGS - 1 : TAGS;

    for (int i = 0; i < count; i++) {
        if (i > 0)
            row_char(row, ',');
        if (roll_below(dice, 2)) {
            row_word(row, roll_word(dice, &adjectives));
            row_char(row, ' ');
            row_word(row, roll_word(dice, &category->subjects));
        } else {
            row_word(row, roll_word(dice, &category->subjects));
            row_char(row, ' ');
            row_word(row, roll_word(dice, &tag_endings));
        }
    }
}

static void row_hex(struct row *row, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--)
        row_char(row, "0123456789abcdef"[number >> 4 * i & 15]);
}

static void write_unique_id(struct row *row, struct dice dice)
{
    uint64_t high = roll(&dice), low = roll(&dice);

    row_hex(row, high >> 32, 8);
    row_char(row, '-');
    row_hex(row, high >> 16 & 0xffff, 4);
    row_char(row, '-');
    row_hex(row, (high & 0x0fff) | 0x4000, 4); /* version 4 */
    row_char(row, '-');
    row_hex(row, (low >> 48 & 0x3fff) | 0x8000, 4); /* variant of RFC 4122 */
    row_char(row, '-');
    row_hex(row, low & 0xffffffffffff, 12);
}

/* An address under a name that is reserved for examples: nothing is ever there. */
static void write_image(struct row *row, struct dice *dice, enum kind kind)
{
    uint64_t high = roll(dice), low = roll(dice);
    uint32_t ending = roll_below(dice, 1000);

    row_text(row, "https://i.pinrail.example/");
    if (kind != KIND_IMAGE)
        row_text(row, "videos/thumbnails/");
    row_text(row, "originals/");
    for (int i = 7; i > 4; i--) {
        row_hex(row, high >> 8 * i & 0xff, 2);
        row_char(row, '/');
    }
    row_hex(row, high, 16);
    row_hex(row, low, 16);
    if (kind != KIND_IMAGE)
        row_text(row, ".0000001.jpg");
    else if (ending < 825)
        row_text(row, ".jpg");
    else if (ending < 990)
        row_text(row, ".png");
    else if (ending < 997)
        row_text(row, ".webp");
    else
        row_text(row, ".gif");
}

/* Title and description, with the quotes around them. */
static void write_texts(struct row *row, struct dice *dice, struct word subject, enum kind kind,
                        const struct dirt *dirt)
{
    struct row text;

    row_text(row, ",\"title\":");
    if (dirt->broken) {
        row_text(row, "\"No Title Data Available\"");
    } else {
        write_title(&text, dice, subject);
        row_quoted(row, &text);
    }
    row_text(row, ",\"description\":");
    if (dirt->no_description) {
        row_text(row, "\"No description available");
        if (kind == KIND_STORY)
            row_text(row, " Story format");
        row_char(row, '"');
    } else if (dirt->untitled) {
        row_text(row, "\"Untitled\"");
    } else {
        write_description(&text, dice, subject);
        row_quoted(row, &text);
    }
}

static void write_owner(struct row *row, struct dice poster, bool more, const struct dirt *dirt)
{
    struct row text;

    row_text(row, ",\"poster_name\":");
    if (dirt->broken) {
        row_text(row, "\"User Info Error\",\"follower_count\":\"User Info Error\"");
        return;
    }
    write_poster(&text, poster);
    row_quoted(row, &text);
    row_text(row, ",\"follower_count\":\"");
    write_followers(row, (struct dice){~poster.state}, more);
    row_char(row, '"');
}

/* From title to category: what a repeated post repeats. */
static void write_content(struct row *row, uint64_t seed, int64_t index, bool more, bool clean)
{
    static const char *const kinds[] = {"image", "video", "multi-video(story page format)"};
    struct dice dice = dice_for(seed, DICE_PIN, (uint64_t)index);
    const struct category *category = roll_category(&dice);
    struct word subject = roll_word(&dice, &category->subjects);
    enum kind kind = roll_kind(&dice);
    struct dirt dirt = roll_dirt(&dice, kind);
    struct dice poster = roll_poster(seed, &dice);

    if (clean)
        dirt = (struct dirt){false, false, false, false, false};
    write_texts(row, &dice, subject, kind, &dirt);
    write_owner(row, poster, more, &dirt);
    row_text(row, ",\"tag_list\":\"");
    if (dirt.no_tags)
        row_text(row, "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e");
    else
        write_tags(row, &dice, category);
    row_text(row, "\",\"is_image_or_video\":\"");
    row_add(row, kinds[kind], strlen(kinds[kind]));
    row_text(row, "\",\"image_src\":\"");
    if (dirt.no_image)
        row_text(row, "Image src error.");
    else
        write_image(row, &dice, kind);
    row_text(row, "\",\"downloaded\":");
    row_char(row, dirt.no_image ? '0' : '1');
    row_text(row, ",\"save_location\":\"Local save in /data/");
    row_word(row, category->name);
    row_text(row, "\",\"category\":\"");
    row_word(row, category->name);
    row_text(row, "\"}");
}

void pin_write(struct row *row, uint64_t seed, int64_t index, int64_t first, bool clean)
{
    struct dice dice = dice_for(seed, DICE_REPEAT, (uint64_t)index);
    int64_t content = index;
    bool more = roll_rows(&dice, 4, COUNTED);

    if (index > first && roll_rows(&dice, COUNTED_REPEATS, COUNTED))
        content = first + roll_below(&dice, (uint32_t)(index - first));
    row->size = 0;
    row_text(row, "{\"index\":");
    row_number(row, index, 1);
    row_text(row, ",\"unique_id\":\"");
    write_unique_id(row, dice_for(seed, DICE_ID, (uint64_t)index));
    row_char(row, '"');
    write_content(row, seed, content, more && content == index, clean);
}
