/* Any bytes as a database's URL and as a db_creds.yaml: refused, or every part is there. */
#include <stdlib.h>
#include <string.h>

#include "source/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void check(enum err err, struct creds *creds)
{
    if (err) {
        if (creds->host || creds->password)
            abort();
        return;
    }
    if (!creds->host || !creds->user || !creds->password || !creds->database || !creds->charset ||
        creds->port < 1 || creds->port > 65535)
        abort();
    creds_release(creds);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct creds creds = {0};
    char *url = malloc(size + 16);

    if (!url)
        return 0;
    memcpy(url, "mysql://", 8);
    memcpy(url + 8, at, size);
    url[8 + size] = 0;
    check(creds_from_url(&creds, url), &creds);
    check(creds_from_url(&creds, url + 8), &creds);
    check(creds_from_yaml(&creds, (const char *)at, size, "db_creds.yaml"), &creds);
    free(url);
    return 0;
}
