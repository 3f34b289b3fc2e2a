#include <stdio.h>

int main(void) {
    while (getchar() != EOF) {
    }
    const char *open = "{\"type\":\"x-blob\",\"data\":\"", *close = "\"}";
    int size = printf("%s", open) + 2;
    for (; size < 1048577; size++) {
        putchar('a');
    }
    puts(close);
    puts("{\"type\":\"done\",\"status\":\"ok\"}");
    return 0;
}
