/* Any text: no token but one that we sealed is opened, and nothing outside the text is read. */
#include <stdlib.h>

#include "gateway/kinesis.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static const uint8_t secret[SECRET_BYTES] = {1, 2, 3};
    struct buf text = buf_init(1 << 16);
    struct token token;
    int64_t shard, created_s, offset;
    unsigned __int128 hash;
    uint32_t of_shard;

    if (token_open(secret, bytes_of(at, size), TOKEN_ITERATOR, &token) == ERR_OK)
        abort();
    if (!base64_encode(bytes_of(at, size), &text) &&
        token_open(secret, buf_bytes(&text), TOKEN_SHARDS, &token) == ERR_OK)
        abort();
    (void)shard_id_parse(bytes_of(at, size), &shard);
    (void)hash_parse(bytes_of(at, size), &hash);
    if (sequence_parse(bytes_of(at, size), &created_s, &of_shard, &offset) == ERR_OK &&
        (created_s < 0 || offset < 0))
        abort();
    buf_release(&text);
    return 0;
}
