#include <stdio.h>

int main(void) {
    const long long most = (1LL << 53) - 1;
    while (getchar() != EOF) {
    }
    printf("{\"type\":\"asset\",\"kind\":\"tech\",\"value\":\"v\",\"attrs\":{\"most\":%lld,\"least\":%lld}}\n", most, -most);
    puts("{\"type\":\"done\",\"status\":\"ok\"}");
    return 0;
}
