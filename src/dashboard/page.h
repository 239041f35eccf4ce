/* page.h - the page's files, which travel inside the program, each as it is and gzipped. Threads: any. */
#ifndef DASHBOARD_PAGE_H
#define DASHBOARD_PAGE_H

#include "base/bytes.h"

struct page;

struct page_file {
    struct bytes bytes;
    const char *content_type;
    bool gzipped;
    char etag[40]; /* with its quotes */
};

enum err page_open(struct page **out);
void page_close(struct page *page); /* accepts NULL */
/* The file of a request's path; "/" is the page. Gzipped only if `gzip` and if that is smaller. The bytes are valid
 * until page_close(). ERR_NOT_FOUND. */
enum err page_find(struct page *page, const char *path, bool gzip, struct page_file *out);

#endif
