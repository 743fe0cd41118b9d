// Which certificate a client means by the name in its first message.
// Pure functions; any thread.

#include "tls_private.h"

bool tls_name_matches(struct bytes pattern, struct bytes name)
{
    if (pattern.len < 3 || pattern.at[0] != '*' || pattern.at[1] != '.') {
        return bytes_equal_nocase(pattern, name);
    }
    // The star stands for one whole label, and never for all of a name.
    ptrdiff_t dot = bytes_find(name, '.');
    return dot > 0 && bytes_equal_nocase(bytes_skip(pattern, 1), bytes_skip(name, (size_t)dot));
}

size_t tls_choose(const struct tls *tls, struct bytes name)
{
    size_t by_star = 0;
    bool has_star = false;

    // A name may be written with the root's dot.
    if (name.len > 0 && name.at[name.len - 1] == '.') {
        name.len--;
    }
    for (size_t i = 0; i < tls->count; i++) {
        const struct tls_certificate *certificate = &tls->certificates[i];
        for (size_t n = 0; n < certificate->name_count; n++) {
            struct bytes known = bytes_str(certificate->names[n]);
            if (bytes_equal_nocase(known, name)) {
                return i;
            }
            if (!has_star && tls_name_matches(known, name)) {
                has_star = true;
                by_star = i;
            }
        }
    }
    return by_star;
}
