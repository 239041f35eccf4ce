/* kinesis_token.c - tokens that clients carry for us.
 *
 *     00 00 00 00 00 00 00 01 | nonce[12] | tag[16] | sealed[116 + 16k]
 *     sealed = kind u8 | shard u32 | offset u64 | issued u64 | created u64 | length u8 | stream | zeros
 *
 * k grows with the stream's name as AWS's do: the whole is 152 + (length + 2) / 16 * 16 bytes. */
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "gateway/kinesis.h"

enum {
    PREFIX_BYTES = 8,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    HEAD_BYTES = PREFIX_BYTES + NONCE_BYTES + TAG_BYTES,
    NAME_AT = 30,
    RAW_LEAST = 152,
    RAW_MOST = RAW_LEAST + (STREAM_NAME_MOST + 2) / 16 * 16,
};

static const uint8_t prefix[PREFIX_BYTES] = {0, 0, 0, 0, 0, 0, 0, 1};

static size_t raw_size(size_t name_length)
{
    return RAW_LEAST + (name_length + 2) / 16 * 16;
}

static bool seal(const uint8_t *secret, const uint8_t *plain, uint8_t *raw, int size)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t *nonce = raw + PREFIX_BYTES, *tag = nonce + NONCE_BYTES;
    int done = 0;
    bool good = cipher && RAND_bytes(nonce, NONCE_BYTES) == 1 &&
                EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret, nonce) == 1 &&
                EVP_EncryptUpdate(cipher, raw + HEAD_BYTES, &done, plain, size) == 1 &&
                EVP_EncryptFinal_ex(cipher, raw + HEAD_BYTES + done, &done) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;

    EVP_CIPHER_CTX_free(cipher);
    return good;
}

static bool open_sealed(const uint8_t *secret, const uint8_t *raw, uint8_t *plain, int size)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    const uint8_t *nonce = raw + PREFIX_BYTES;
    uint8_t tag[TAG_BYTES];
    int done = 0;
    bool good;

    memcpy(tag, nonce + NONCE_BYTES, TAG_BYTES);
    good = cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret, nonce) == 1 &&
           EVP_DecryptUpdate(cipher, plain, &done, raw + HEAD_BYTES, size) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, plain + done, &done) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return good;
}

enum err token_seal(const uint8_t secret[SECRET_BYTES], const struct token *token, char out[TOKEN_TEXT_MOST])
{
    size_t length = strlen(token->stream), size = raw_size(length);
    uint8_t plain[RAW_MOST] = {0}, raw[RAW_MOST];
    struct buf text = buf_init(TOKEN_TEXT_MOST - 1);
    enum err err;

    plain[0] = (uint8_t)token->kind;
    put_u32(plain + 1, (uint32_t)token->shard);
    put_u64(plain + 5, (uint64_t)token->offset);
    put_u64(plain + 13, (uint64_t)token->issued_ms);
    put_u64(plain + 21, (uint64_t)token->created_ms);
    plain[NAME_AT - 1] = (uint8_t)length;
    memcpy(plain + NAME_AT, token->stream, length);
    memcpy(raw, prefix, PREFIX_BYTES);
    if (!seal(secret, plain, raw, (int)(size - HEAD_BYTES)))
        return err_note(ERR_IO, "a token could not be sealed");
    err = base64_encode(bytes_of(raw, size), &text);
    if (!err) {
        memcpy(out, text.at, text.size);
        out[text.size] = 0;
    }
    buf_release(&text);
    return err;
}

enum err token_open(const uint8_t secret[SECRET_BYTES], struct bytes text, enum token_kind kind,
                    struct token *out)
{
    struct buf raw = buf_init(RAW_MOST);
    uint8_t plain[RAW_MOST];
    enum err err = ERR_INVALID;
    size_t length;

    if (base64_decode(text, &raw) || raw.size < RAW_LEAST || memcmp(raw.at, prefix, PREFIX_BYTES) != 0 ||
        !open_sealed(secret, raw.at, plain, (int)(raw.size - HEAD_BYTES)) || plain[0] != kind)
        goto out;
    length = plain[NAME_AT - 1];
    if (length > STREAM_NAME_MOST || raw.size != raw_size(length))
        goto out;
    *out = (struct token){.kind = kind,
                          .shard = (int32_t)get_u32(plain + 1),
                          .offset = (int64_t)get_u64(plain + 5),
                          .issued_ms = (int64_t)get_u64(plain + 13),
                          .created_ms = (int64_t)get_u64(plain + 21)};
    memcpy(out->stream, plain + NAME_AT, length);
    err = ERR_OK;
out:
    buf_release(&raw);
    return err ? err_note(err, "not a token of this server") : ERR_OK;
}
