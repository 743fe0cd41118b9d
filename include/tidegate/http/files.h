// Static files from one folder: types by ending, ETag and 304, no way out of the folder, no
// dotfiles. Owner: the worker. Files are read whole, up to a limit, when they are asked for; a
// large one is held once, however many are reading it.
#ifndef TIDEGATE_HTTP_FILES_H
#define TIDEGATE_HTTP_FILES_H

#include "tidegate/http/server.h"

struct file_share;

struct files_target {
    struct http_target target;
    int root_fd;               // owned; the folder
    char *index;               // owned; served for a path that ends in '/'
    struct file_share *shares; // owned; large files that are being sent
};

#define FILES_SIZE_MAX (16u << 20)

// Opens `root`: 0 or -errno. The path served is the match's "*" parameter, or the index without
// one.
int files_init(struct files_target *files, const char *root, const char *index) ATTR_MUST_CHECK;
void files_finish(struct files_target *files);

#endif
