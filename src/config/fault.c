// Faults, the keys they name, and the nearest name to a wrong one. Texts go to a terminal or a log,
// so whatever came from outside is cut and stripped of control characters here.
// Values only, nothing allocated; the thread that loads.
#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define QUOTE_MAX 64u // bytes of a value shown

int fault_set(struct fault *fault, const char *key, const char *format, ...)
{
    // `key` may be fault->key itself.
    struct bytes name = bytes_str(key);
    size_t len = name.len < sizeof fault->key ? name.len : sizeof fault->key - 1;
    memmove(fault->key, name.at, len);
    fault->key[len] = '\0';
    fault->other[0] = '\0';
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return -EINVAL;
}

bool key_push(struct key *key, struct bytes name)
{
    size_t dot = key->len > 0 ? 1 : 0;
    if (name.len >= sizeof key->text - key->len - dot) {
        return false;
    }
    if (dot != 0) {
        key->text[key->len++] = '.';
    }
    if (name.len > 0) {
        memcpy(key->text + key->len, name.at, name.len);
    }
    key->len += name.len;
    key->text[key->len] = '\0';
    return true;
}

bool key_push_index(struct key *key, size_t index)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%zu", index);
    return key_push(key, bytes_make(digits, (size_t)len));
}

void key_cut(struct key *key, size_t len)
{
    key->len = len;
    key->text[len] = '\0';
}

struct quoted fault_quote(struct bytes text)
{
    struct quoted quoted;
    size_t shown = text.len;
    if (shown > QUOTE_MAX) {
        shown = QUOTE_MAX;
        while (shown > 0 && ((unsigned char)text.at[shown] & 0xc0) == 0x80) {
            shown--; // not inside a character
        }
    }
    char *to = quoted.text;
    *to++ = '"';
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.at[i];
        *to++ = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    *to++ = '"';
    if (shown < text.len) {
        memcpy(to, "...", 3);
        to += 3;
    }
    *to = '\0';
    return quoted;
}

void hint_begin(struct hint *hint, struct bytes wanted)
{
    size_t allowed = wanted.len / 3;
    *hint = (struct hint){.wanted = wanted, .distance = (allowed > 2 ? allowed : 2) + 1};
}

// The fewest insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
static size_t edit_distance(struct bytes a, struct bytes b)
{
    uint16_t lines[3][KEY_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        lines[0][j] = (uint16_t)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        const uint16_t *before = lines[(i + 1) % 3]; // of i - 2
        const uint16_t *above = lines[(i - 1) % 3];
        uint16_t *line = lines[i % 3];
        line[0] = (uint16_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned best = above[j - 1] + (a.at[i - 1] != b.at[j - 1]);
            best = above[j] + 1u < best ? above[j] + 1u : best;
            best = line[j - 1] + 1u < best ? line[j - 1] + 1u : best;
            bool swapped =
                i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1];
            if (swapped && before[j - 2] + 1u < best) {
                best = before[j - 2] + 1u;
            }
            line[j] = (uint16_t)best;
        }
    }
    return lines[a.len % 3][b.len];
}

static struct bytes last_part(struct bytes key)
{
    size_t at = key.len;
    while (at > 0 && key.at[at - 1] != '.') {
        at--;
    }
    return bytes_skip(key, at);
}

void hint_offer(struct hint *hint, const char *name)
{
    struct bytes candidate = bytes_str(name);
    if (candidate.len >= KEY_MAX || hint->wanted.len >= KEY_MAX || hint->wanted.len == 0) {
        return;
    }
    size_t distance = edit_distance(hint->wanted, candidate);
    // The right name in the wrong section is near too, and so is a name cut short.
    bool same_end = bytes_equal(last_part(hint->wanted), last_part(candidate));
    bool is_start = hint->wanted.len > 3 && bytes_starts_with(candidate, hint->wanted);
    if (distance > 2 && (same_end || is_start)) {
        distance = 2;
    }
    if (distance < hint->distance) {
        hint->distance = distance;
        memcpy(hint->best, name, candidate.len + 1);
    }
}

struct suggestion hint_text(const struct hint *hint, const char *prefix)
{
    struct suggestion suggestion = {""};
    if (hint->best[0] != '\0') {
        snprintf(suggestion.text, sizeof suggestion.text, " (did you mean \"%.*s%s\")", KEY_MAX / 2,
                 prefix, hint->best);
    }
    return suggestion;
}
