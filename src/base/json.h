/* json.h - a strict JSON slicer (RFC 8259) that never builds a tree: a value is the bytes it was sent as.
 *
 * For the hot path: posts are checked and cut out of a request at more than a gigabyte a second. Documents
 * where speed does not matter (configuration, Delta logs) use jansson.
 *
 *     struct json_value value;
 *     struct json_value key;
 *     if (json_check(body, &value, NULL) || value.kind != JSON_OBJECT) ...
 *     struct json_walk walk = json_walk(value);
 *     while (!(err = json_walk_next(&walk, &key, &value))) ...     // ERR_END when done
 *
 * Everything a value holds was checked when it was cut: grammar, UTF-8, escapes (surrogates in pairs), depth.
 * No allocation. Threads: a slicer belongs to one thread. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/bytes.h"

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_kind kind;
    bool plain;         /* a string without escapes: its text is the bytes between the quotes;
                           an array or object: no white space outside strings */
    struct bytes bytes; /* the value's own bytes, quotes and brackets included, white space around it not */
};

enum { JSON_DEPTH_MOST = 64 };

/* Check that `text` is one JSON document and nothing behind it. ERR_INVALID: the note says what and at
 * which byte
 * (*at too, if not NULL). */
enum err json_check(struct bytes text, struct json_value *out, size_t *at);

/* Walk the members of a checked object or the elements of a checked array. */
struct json_walk {
    const uint8_t *at, *end;
    bool object;
};
struct json_walk json_walk(struct json_value container);
/* ERR_OK: *value is the next one, and *key (a string value) its name if it is an object's; key may be NULL
 * for arrays. ERR_END: no more. */
enum err json_walk_next(struct json_walk *walk, struct json_value *key, struct json_value *value);
/* The member of that name (the last one, if it is repeated). ERR_NOT_FOUND. */
enum err json_member(struct json_value object, const char *name, struct json_value *value);

/* Is that the string value's text, escapes resolved? */
bool json_text_is(struct json_value string, const char *text);

/* Cutting while checking: one pass over text that nobody has checked yet, for requests. Enter the containers
 * one wants to see inside of, take all else whole; every byte is looked at once.
 *
 *     struct json_pull pull = json_pull(body);
 *     if (!(err = json_pull_enter(&pull, JSON_ARRAY)))
 *         while (!(err = json_pull_next(&pull, NULL)))     // ERR_END: the array is closed and left
 *             if ((err = json_pull_value(&pull, &value))) ...
 *     if (err == ERR_END) err = json_pull_end(&pull);
 *
 * All else but ERR_OK and ERR_END is ERR_INVALID with a note; pull.fault is then the byte at which it
 * stopped. */
struct json_pull {
    const uint8_t *start, *at, *end;
    size_t fault;
    uint64_t objects; /* bit n: the container at depth n is an object */
    int depth;
    bool first; /* no member of the innermost container was taken yet */
};
struct json_pull json_pull(struct bytes text);
/* Step into the next value, which must be an array or object as `kind` says. */
enum err json_pull_enter(struct json_pull *pull, enum json_kind kind);
/* Go to the next member's value; in an object *key is its name. ERR_END: the container is closed and left. */
enum err json_pull_next(struct json_pull *pull, struct json_value *key);
/* The kind of the value that comes next, looked at only from its first byte; JSON_NULL if that begins
 * nothing. */
enum json_kind json_pull_kind(struct json_pull *pull);
/* Check and take the next value whole. */
enum err json_pull_value(struct json_pull *pull, struct json_value *out);
/* Nothing but white space may follow. */
enum err json_pull_end(struct json_pull *pull);

/* A string value's text, unescaped, appended to `out`. Plain strings can be taken with json_plain_text(). */
enum err json_text(struct json_value string, struct buf *out);
struct bytes json_plain_text(struct json_value plain_string);
/* A number as an integer: ERR_INVALID if it has a fraction or exponent, ERR_RANGE if it does not fit. */
enum err json_int64(struct json_value number, int64_t *out);

/* The value without white space outside strings, appended to `out`. */
enum err json_compact(struct json_value value, struct buf *out);
/* `text` as a JSON string with its quotes, appended to `out`. Bytes that are not UTF-8 become U+FFFD. */
enum err json_quote(struct bytes text, struct buf *out);

/* Base64 (RFC 4648, padded, standard alphabet). Decode: ERR_INVALID for anything else, white space
 * included. */
enum err base64_encode(struct bytes bytes, struct buf *out);
enum err base64_decode(struct bytes text, struct buf *out);

#endif
