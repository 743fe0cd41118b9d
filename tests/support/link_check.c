// Nothing: linked with one folder whole and its row of the layer table, to prove the row suffices.
int main(void)
{
    return 0;
}
