/* kinesis_shard.c - shards: their ids, their part of the hash space, their sequence numbers. */
#include <openssl/evp.h>
#include <pthread.h>

#include "gateway/kinesis.h"

static const char shard_prefix[] = "shardId-";

enum { SHARD_DIGITS = 12 };

void shard_id(int32_t shard, char out[SHARD_ID_BYTES])
{
    size_t at = sizeof(shard_prefix) - 1 + SHARD_DIGITS;
    uint32_t rest = (uint32_t)shard;

    memcpy(out, shard_prefix, sizeof(shard_prefix) - 1);
    out[at] = 0;
    for (int i = 0; i < SHARD_DIGITS; i++, rest /= 10)
        out[--at] = (char)('0' + rest % 10);
}

enum err shard_id_parse(struct bytes text, int64_t *shard)
{
    const size_t length = sizeof(shard_prefix) - 1;
    int64_t number = 0;

    if (text.size != length + SHARD_DIGITS || memcmp(text.at, shard_prefix, length) != 0)
        return ERR_INVALID;
    for (size_t i = length; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return ERR_INVALID;
        number = number * 10 + (text.at[i] - '0');
    }
    *shard = number;
    return ERR_OK;
}

/* Whole seconds for a sequence number. A producer's clock may say anything; 0 is kept for a shard's first
 * number. */
static int64_t seconds_of(int64_t ms)
{
    int64_t seconds = ms / 1000;

    return seconds < 1 ? 1 : seconds > 0xfffffffff ? 0xfffffffff : seconds;
}

void shard_sequence(const struct topic_info *topic, int32_t shard, int64_t offset, int64_t timestamp_ms,
                    char out[SEQUENCE_TEXT_BYTES])
{
    sequence_format(seconds_of(topic->created_ms), (uint32_t)shard, offset, seconds_of(timestamp_ms), out);
}

void shard_first_sequence(const struct topic_info *topic, int32_t shard, char out[SEQUENCE_TEXT_BYTES])
{
    sequence_format(seconds_of(topic->created_ms), (uint32_t)shard, 0, 0, out);
}

/* floor(2^128 / count) for count > 1. */
static unsigned __int128 shard_width(int32_t count)
{
    unsigned __int128 n = (unsigned __int128)count;

    return (~(unsigned __int128)0 - n + 1) / n + 1;
}

unsigned __int128 shard_first_hash(int32_t shard, int32_t count)
{
    return shard == 0 ? 0 : (unsigned __int128)shard * shard_width(count);
}

int32_t shard_of_hash(unsigned __int128 hash, int32_t count)
{
    unsigned __int128 shard;

    if (count <= 1)
        return 0;
    shard = hash / shard_width(count);
    return shard >= (unsigned __int128)count ? count - 1 : (int32_t)shard;
}

enum err hash_parse(struct bytes text, unsigned __int128 *out)
{
    const unsigned __int128 most = ~(unsigned __int128)0;
    unsigned __int128 hash = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.at[i] - '0';
        if (digit > 9)
            return ERR_INVALID;
        if (hash > (most - digit) / 10)
            return ERR_RANGE;
        hash = hash * 10 + digit;
    }
    *out = hash;
    return text.size > 0 ? ERR_OK : ERR_INVALID;
}

void hash_format(unsigned __int128 hash, char out[HASH_TEXT_BYTES])
{
    char text[HASH_TEXT_BYTES], *at = text + sizeof(text);

    *--at = 0;
    do {
        *--at = (char)('0' + (int)(hash % 10));
        hash /= 10;
    } while (hash);
    memcpy(out, at, (size_t)(text + sizeof(text) - at));
}

/* Looking the algorithm up takes longer than hashing a key. */
static EVP_MD *md5;

static void fetch_md5(void)
{
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
}

unsigned __int128 hash_of_key(struct bytes key)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    unsigned size = 0;

    pthread_once(&once, fetch_md5);
    (void)EVP_Digest(key.at, key.size, digest, &size, md5 ? md5 : EVP_md5(), NULL);
    return (unsigned __int128)get_u64(digest) << 64 | get_u64(digest + 8);
}
