#include <stdio.h>

int main(void) {
    while (getchar() != EOF) {
    }
    puts("{\"type\":\"asset\",\"kind\":\"tech\",\"value\":\"c\"}");
    puts("{\"type\":\"done\",\"status\":\"ok\"}");
    return 0;
}
