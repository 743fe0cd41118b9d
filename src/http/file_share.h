// Large files that are on their way out, each once: whoever asks for one that is being sent gets
// the same bytes. So what slow readers can pin is a folder, not a folder for each of them.
// Owner: the files target's worker. Lifetime: an entry goes at the next large file after its last
// reader. Invariant: an entry's bytes are those of the file with exactly this identity and times.
#ifndef TIDEGATE_HTTP_FILE_SHARE_H
#define TIDEGATE_HTTP_FILE_SHARE_H

#include "tidegate/base/blob.h"

#include <sys/stat.h>

struct file_share;

// A reference to the bytes of the file that `st` describes, or NULL when nobody is sending it.
struct blob *file_share_find(struct file_share *first, const struct stat *st);

// Forgets what nobody is sending any more, in the list that begins at *first.
void file_share_prune(struct file_share **first);

// Lets others find `blob`, of which the caller keeps its reference.
void file_share_add(struct file_share **first, const struct stat *st, struct blob *blob);

void file_share_finish(struct file_share **first);

#endif
