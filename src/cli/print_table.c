/* print_table.c - results for people: tables that fit the terminal, and bars.
 *
 * Widths are columns of the screen, not bytes: wcwidth() knows that a 猫 takes two and an accent none. Texts come from
 * strangers, so what could steer a terminal (escape, backspace, ...) is shown as a dot. Only a terminal has a width to
 * fit; into a file or pipe everything goes whole. */
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <wchar.h>

#include "cli/cli.h"
#include "cli/print.h"

enum {
    COLUMN_WIDTH_LEAST = 6,
    COLUMN_WIDTH_MOST = 100,
    GAP = 2,
    BAR_WIDTH_LEAST = 10,
    LABEL_WIDTH_MOST = 44
};

struct screen {
    FILE *out;
    struct buf text;
    locale_t locale, before;
    int width; /* 0: not a terminal */
    bool colour, utf8;
};

static void screen_open(struct screen *screen, FILE *out)
{
    locale_t theirs = newlocale(LC_CTYPE_MASK, "", (locale_t)0);

    *screen = (struct screen){
        .out = out,
        .text = buf_init(SIZE_MAX / 2),
        .width = cli_is_terminal(out) ? cli_width(out) : 0,
        .colour = cli_has_colour(out),
        .utf8 = theirs && strcmp(nl_langinfo_l(CODESET, theirs), "UTF-8") == 0,
    };
    if (theirs)
        freelocale(theirs);
    screen->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); /* for wcwidth(), whatever theirs is */
    screen->before = screen->locale ? uselocale(screen->locale) : (locale_t)0;
}

static enum err screen_close(struct screen *screen, enum err err)
{
    if (!err && screen->text.size > 0)
        err = print_flush(screen->out, &screen->text);
    if (screen->locale) {
        uselocale(screen->before);
        freelocale(screen->locale);
    }
    buf_release(&screen->text);
    return err;
}

/* The character at `at`: its bytes in *size, its columns as the result; 1 byte and column for what is no character. */
static int character(struct bytes text, size_t at, size_t *size, bool *visible)
{
    uint8_t first = text.at[at];
    uint32_t code;
    int width;

    *visible = true;
    *size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0x80) {
        *visible = first >= 0x20 && first != 0x7f;
        return 1;
    }
    if (*size > text.size - at || !bytes_are_utf8(bytes_of(text.at + at, *size))) {
        *size = 1;
        *visible = false;
        return 1;
    }
    code = first & (0x7fu >> *size);
    for (size_t i = 1; i < *size; i++)
        code = code << 6 | (text.at[at + i] & 0x3f);
    width = wcwidth((wchar_t)code);
    if (width < 0 || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)) {
        *visible = false; /* C1 controls, and marks that turn the direction of all that follows */
        return 1;
    }
    return width;
}

static int width_of(struct bytes text)
{
    int width = 0;
    bool visible;

    for (size_t at = 0, size; at < text.size; at += size)
        width += character(text, at, &size, &visible);
    return width;
}

static enum err add_spaces(struct buf *out, int count)
{
    enum err err = ERR_OK;

    for (; !err && count > 0; count--)
        err = buf_add_char(out, ' ');
    return err;
}

static enum err add_times(struct buf *out, const char *what, int count)
{
    enum err err = ERR_OK;

    for (; !err && count > 0; count--)
        err = buf_add_text(out, what);
    return err;
}

/* Add `text` in exactly `width` columns: cut with an ellipsis, or filled up on the left or right. `fill` false: not
 * filled up on the right. */
static enum err add_cell(struct buf *out, struct bytes text, int width, bool right, bool fill)
{
    int natural = width_of(text), room = natural > width ? width - 1 : width, used = 0;
    enum err err = right && natural < width ? add_spaces(out, width - natural) : ERR_OK;

    for (size_t at = 0, size; !err && at < text.size; at += size) {
        bool visible;
        int columns = character(text, at, &size, &visible);
        if (used + columns > room)
            break;
        used += columns;
        if (visible)
            err = buf_add(out, text.at + at, size);
        else
            err = buf_add_text(out, strchr("\t\n\r", text.at[at]) && text.at[at] ? " " : "·");
    }
    if (!err && natural > width) {
        err = buf_add_text(out, "…");
        used++;
    }
    return err || right || !fill ? err : add_spaces(out, width - used);
}

enum err print_text(FILE *out, struct bytes text)
{
    struct screen screen;
    enum err err;

    screen_open(&screen, out);
    err = screen.width == 0 ? buf_add_bytes(&screen.text, text)
                            : add_cell(&screen.text, text, width_of(text), false, false);
    return screen_close(&screen, err);
}

static struct bytes cell(const struct sql_result *result, size_t row, size_t column)
{
    return sql_is_null(result, row, column) ? BYTES("null") : sql_text(result, row, column);
}

static const char *rule(const struct screen *screen)
{
    return screen->utf8 ? "─" : "-";
}

/* ---- tables ---- */

/* Take columns from the widest until all fit; false if they cannot. */
static bool fit(int *widths, size_t count, int room)
{
    int total = -GAP;

    for (size_t i = 0; i < count; i++)
        total += widths[i] + GAP;
    while (total > room) {
        size_t widest = 0;
        for (size_t i = 1; i < count; i++)
            if (widths[i] > widths[widest])
                widest = i;
        if (widths[widest] <= COLUMN_WIDTH_LEAST)
            return false;
        widths[widest]--;
        total--;
    }
    return true;
}

static enum err add_header(struct screen *screen, const struct sql_result *result, const int *widths)
{
    size_t count = sql_columns(result);
    enum err err = ERR_OK;

    if (screen->colour)
        err = buf_add_text(&screen->text, "\033[1m");
    for (size_t i = 0; !err && i < count; i++) {
        err = add_cell(&screen->text, bytes_of_text(sql_column_name(result, i)), widths[i],
                       print_is_number(sql_column_type(result, i)), i + 1 < count);
        if (!err && i + 1 < count)
            err = add_spaces(&screen->text, GAP);
    }
    if (!err && screen->colour)
        err = buf_add_text(&screen->text, "\033[0m");
    if (!err)
        err = buf_add_char(&screen->text, '\n');
    for (size_t i = 0; !err && i < count; i++) {
        err = add_times(&screen->text, rule(screen), widths[i]);
        if (!err && i + 1 < count)
            err = add_spaces(&screen->text, GAP);
    }
    return err ? err : buf_add_char(&screen->text, '\n');
}

static enum err add_row(struct screen *screen, const struct sql_result *result, size_t row, const int *widths)
{
    size_t count = sql_columns(result);
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < count; i++) {
        struct bytes text = cell(result, row, i);
        int width = widths[i], natural = screen->width == 0 ? width_of(text) : 0;
        err = add_cell(&screen->text, text, natural > width ? natural : width,
                       print_is_number(sql_column_type(result, i)), i + 1 < count);
        if (!err && i + 1 < count)
            err = add_spaces(&screen->text, GAP);
    }
    if (!err)
        err = buf_add_char(&screen->text, '\n');
    return !err && screen->text.size > 65536 ? print_flush(screen->out, &screen->text) : err;
}

/* A row as lines "column  value", for results of more columns than fit side by side. */
static enum err add_record(struct screen *screen, const struct sql_result *result, size_t row, int names)
{
    int room = screen->width - names - GAP;
    enum err err = row > 0 ? buf_add_char(&screen->text, '\n') : ERR_OK;

    for (size_t i = 0; !err && i < sql_columns(result); i++) {
        struct bytes text = cell(result, row, i);
        int width = width_of(text);
        err = add_cell(&screen->text, bytes_of_text(sql_column_name(result, i)), names, false, true);
        if (!err)
            err = add_spaces(&screen->text, GAP);
        if (!err)
            err = add_cell(&screen->text, text, width > room && room > COLUMN_WIDTH_LEAST ? room : width,
                           false, false);
        if (!err)
            err = buf_add_char(&screen->text, '\n');
    }
    return !err && screen->text.size > 65536 ? print_flush(screen->out, &screen->text) : err;
}

enum err print_table(FILE *out, const struct sql_result *result, size_t most_rows)
{
    size_t columns = sql_columns(result), rows = sql_rows(result), shown = rows;
    int *widths = calloc(columns + 1, sizeof(*widths)), names = 0;
    struct screen screen;
    enum err err = ERR_OK;
    bool fits;

    if (!widths)
        return err_note(ERR_NO_MEMORY, "out of memory for a table");
    if (most_rows > 0 && rows > most_rows)
        shown = most_rows;
    screen_open(&screen, out);
    for (size_t i = 0; i < columns; i++) {
        widths[i] = width_of(bytes_of_text(sql_column_name(result, i)));
        names = widths[i] > names ? widths[i] : names;
        for (size_t row = 0; row < shown; row++) {
            int width = width_of(cell(result, row, i));
            widths[i] = width > widths[i] ? width : widths[i];
            if (widths[i] > COLUMN_WIDTH_MOST && screen.width == 0)
                widths[i] =
                    COLUMN_WIDTH_MOST; /* longer ones go whole; the others are not filled up to them */
        }
    }
    fits = screen.width == 0 || fit(widths, columns, screen.width);
    if (fits && columns > 0)
        err = add_header(&screen, result, widths);
    for (size_t row = 0; !err && columns > 0 && row < shown; row++)
        err = fits ? add_row(&screen, result, row, widths) : add_record(&screen, result, row, names);
    if (!err && shown < rows)
        err = buf_printf(&screen.text, "and %zu more rows\n", rows - shown);
    err = screen_close(&screen, err);
    free(widths);
    return err;
}

/* ---- bars ---- */

/* A bar of `share` (0 to 1) of `width` columns, in eighths of a column where there are characters for them. */
static enum err add_bar(struct screen *screen, double share, int width)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int parts = (int)lround(share * width * 8);
    enum err err;

    if (parts == 0 && share > 0)
        parts = 1; /* little is not nothing */
    if (!screen->utf8)
        return add_times(&screen->text, "#", (parts + 7) / 8);
    err = screen->colour ? buf_add_text(&screen->text, "\033[36m") : ERR_OK;
    if (!err)
        err = add_times(&screen->text, "█", parts / 8);
    if (!err)
        err = buf_add_text(&screen->text, eighths[parts % 8]);
    return err || !screen->colour ? err : buf_add_text(&screen->text, "\033[0m");
}

/* What stands before a bar: the columns before the last. */
static enum err label_of(const struct sql_result *result, size_t row, struct buf *out)
{
    enum err err = ERR_OK;

    buf_clear(out);
    for (size_t i = 0; !err && i + 1 < sql_columns(result); i++) {
        if (i > 0)
            err = buf_add_text(out, "  ");
        if (!err)
            err = buf_add_bytes(out, cell(result, row, i));
    }
    return err;
}

enum err print_bars(FILE *out, const struct sql_result *result, size_t most_rows)
{
    size_t rows = sql_rows(result), last = sql_columns(result) - 1,
           shown = rows < most_rows ? rows : most_rows;
    int labels = 0, values = 0, room;
    struct buf label = buf_init(SIZE_MAX / 2);
    struct screen screen;
    double most = 0;
    enum err err = ERR_OK;

    if (sql_columns(result) == 0 || !print_is_number(sql_column_type(result, last)))
        return ERR_OK;
    screen_open(&screen, out);
    for (size_t row = 0; !err && row < shown; row++) {
        int width, value = width_of(cell(result, row, last));
        err = label_of(result, row, &label);
        width = width_of(buf_bytes(&label));
        labels = width > labels ? width : labels;
        values = value > values ? value : values;
        most = fmax(most, sql_double(result, row, last));
    }
    labels = labels > LABEL_WIDTH_MOST ? LABEL_WIDTH_MOST : labels;
    room = cli_width(out) - labels - values - 2 * GAP;
    if (room < BAR_WIDTH_LEAST)
        room = BAR_WIDTH_LEAST;
    for (size_t row = 0; !err && row < shown; row++) {
        double share = most > 0 ? sql_double(result, row, last) / most : 0;
        err = label_of(result, row, &label);
        if (!err)
            err = add_cell(&screen.text, buf_bytes(&label), labels, false, true);
        if (!err)
            err = add_spaces(&screen.text, GAP);
        if (!err)
            err = add_cell(&screen.text, cell(result, row, last), values, true, true);
        if (!err)
            err = add_spaces(&screen.text, GAP);
        if (!err)
            err = add_bar(&screen, share > 0 ? share : 0, room);
        if (!err)
            err = buf_add_char(&screen.text, '\n');
    }
    if (!err && shown < rows)
        err = buf_printf(&screen.text, "and %zu more\n", rows - shown);
    err = screen_close(&screen, err);
    buf_release(&label);
    return err;
}
