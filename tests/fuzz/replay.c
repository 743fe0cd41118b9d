// Runs one fuzz target over the files of its corpus, without a fuzzer: what was found once is tried
// in every run of the tests. Arguments: the target's name and files or folders. One result line.
// Owner: the process. Each input is in a block of exactly its size, so that reading past it is
// seen; the file being tried is named on stderr before, so that a crash tells which it was.
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static size_t files;

static void try_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size);
    FUZZ_REQUIRE(file != NULL && (data != NULL || size == 0));
    FUZZ_REQUIRE(fread(data, 1, size, file) == size);
    fclose(file);
    fprintf(stderr, "# %s\n", path);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    files++;
}

static void try_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    if (!S_ISDIR(status.st_mode)) {
        try_file(path, (size_t)status.st_size);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char inside[4096];
        snprintf(inside, sizeof(inside), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            try_path(inside);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s NAME FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = 2; i < argc; i++) {
        try_path(argv[i]);
    }
    bool is_tried = files > 0;
    printf("%s - the corpus of %s holds, however it is cut (%zu inputs)\n",
           is_tried ? "ok" : "not ok", argv[1], files);
    return is_tried ? 0 : 1;
}
