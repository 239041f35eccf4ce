/* progress.c - how far something is: a bar on a terminal, a line now and then elsewhere, nothing when quiet.
 *
 *     [############------------] 50%  5,000 of 10,000 posts, 2,431 a second, 3 s left */
#include "cli/cli.h"
#include "cli/count.h"

enum { BAR_MOST = 30, BAR_LEAST = 8, LINE_EVERY_S = 5 };

static const double redraw_every_s = 0.1;

static void add_time_left(char *text, size_t room, double seconds)
{
    int64_t left = (int64_t)(seconds + 0.5);

    if (left < 90)
        snprintf(text, room, ", %lld s left", (long long)left);
    else if (left < 90 * 60)
        snprintf(text, room, ", %lld min left", (long long)(left + 30) / 60);
    else
        snprintf(text, room, ", %.1f h left", seconds / 3600);
}

/* The words behind the bar. */
static int describe(char *text, size_t room, const struct progress *progress, int64_t done, int64_t total,
                    double seconds)
{
    double rate = seconds > 0 ? (double)done / seconds : 0;
    char left[48] = "";

    if (total >= 0 && done < total && rate > 0)
        add_time_left(left, sizeof(left), (double)(total - done) / rate);
    if (total >= 0)
        return snprintf(text, room, "%s of %s %s, %s a second%s", count_text(done), count_text(total),
                        progress->what, count_text((int64_t)rate), left);
    return snprintf(text, room, "%s %s, %s a second", count_text(done), progress->what,
                    count_text((int64_t)rate));
}

static void draw_bar(int64_t done, int64_t total, int columns)
{
    int full = (int)((double)done / (double)total * columns);

    fputc('[', stderr);
    for (int i = 0; i < columns; i++)
        fputc(i < full ? '#' : '-', stderr);
    fprintf(stderr, "] %3d%%  ", (int)(done * 100 / total));
}

void progress_show(struct progress *progress, int64_t done, int64_t total, double seconds)
{
    bool terminal = cli_is_terminal(stderr), first = !progress->drawn, last = total >= 0 && done >= total;
    double since = seconds - progress->last_drawn;
    char words[160];
    int length, bar;

    if (progress->quiet || (terminal ? !first && !last && since < redraw_every_s : since < LINE_EVERY_S))
        return;
    progress->last_drawn = seconds;
    length = describe(words, sizeof(words), progress, done, total, seconds);
    if (!terminal) {
        fprintf(stderr, "%s\n", words);
        return;
    }
    /* Room for brackets and percentage, and one column free, or the line would wrap. */
    bar = cli_width(stderr) - length - 10;
    fputs("\r\033[K", stderr);
    if (total > 0 && bar >= BAR_LEAST)
        draw_bar(done < total ? done : total, total, bar < BAR_MOST ? bar : BAR_MOST);
    fprintf(stderr, "%.*s", cli_width(stderr) - 1, words);
    fflush(stderr);
    progress->drawn = true;
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fputc('\n', stderr);
    progress->drawn = false;
}
