#!/usr/bin/env python3
"""How long `referee infer` takes, and how much memory: a gigabyte of rows, and a thousand tables without rows.

  infer.py BINARY [FOLDER] [FILE...]   makes the databases in FOLDER (default: a temporary one) and runs BINARY on each,
                                       and on every FILE

Prints a Markdown table: wall and processor time, median of three runs, and the greatest peak memory.
benches/results/infer.md keeps one with the machine it was made on.
"""
import os, sqlite3, statistics, subprocess, sys, tempfile, time

RUNS = 3


def gigabyte(path):
    con = sqlite3.connect(path)
    con.execute('PRAGMA journal_mode = OFF')
    con.execute('PRAGMA synchronous = OFF')
    con.executescript('''
        CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, note TEXT);
        CREATE TABLE products (id INTEGER PRIMARY KEY, sku TEXT, note TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, placed TEXT, note TEXT);
        CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
                                  quantity INTEGER, note TEXT);''')
    series = 'WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) '
    note = 'hex(zeroblob(50))'
    con.execute('INSERT INTO customers ' + series % 300_000 + f"SELECT i, 'customer ' || i, {note} FROM s")
    con.execute('INSERT INTO products ' + series % 50_000 + f"SELECT i, 'sku' || i, {note} FROM s")
    con.execute('INSERT INTO orders ' + series % 2_000_000 + f"SELECT i, i * 7919 % 300000 + 1, '2026-01-01', {note} FROM s")
    con.execute('INSERT INTO order_lines ' + series % 5_600_000 +
                f'SELECT i, i * 31 % 2000000 + 1, i * 17 % 50000 + 1, i % 9, {note} FROM s')
    con.commit()
    con.close()


def thousand(path):
    con = sqlite3.connect(path, isolation_level=None)
    con.execute('BEGIN')
    letters = 'bcdfghjklm'
    word = lambda n: 'z' + ''.join(letters[n // d % 10] for d in (100, 10, 1))
    for t in range(1000):
        columns = ', '.join(f'{word((t * 7 + c * 13) % 1000)}_id INTEGER' for c in range(1, 10))
        con.execute(f'CREATE TABLE {word(t)}s (id INTEGER PRIMARY KEY, {columns})')
    con.execute('COMMIT')
    con.close()


def once(command):
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f'{command}: ended with {os.waitstatus_to_exitcode(status)}')
    return time.time() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if len(sys.argv) > 2:
        return measure(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        measure(folder)


def measure(folder):
    jobs = [(gigabyte, ['infer', '--budget', '60s']), (gigabyte, ['infer', '--no-data']), (thousand, ['infer', '--no-data']),
            (thousand, ['infer']), (thousand, ['audit'])]
    files = [(None, path, ['infer']) for path in sys.argv[3:]]
    print('| database | command | wall, s | processor, s | peak memory, MB |\n|---|---|---:|---:|---:|')
    for make, path, (verb, *options) in [(m, os.path.join(folder, m.__name__ + '.db'), o) for m, o in jobs] + files:
        if make and not os.path.exists(path):
            # Renamed when it is whole: a run that was stopped leaves nothing that looks like it.
            half = path + '.half'
            if os.path.exists(half):
                os.remove(half)
            make(half)
            os.rename(half, path)
        command = [sys.argv[1], verb, path, '--format', 'json', '--no-config', *options]
        wall, processor, memory = zip(*[once(command) for _ in range(RUNS)])
        name = os.path.basename(path).removesuffix('.db')
        size = os.path.getsize(path) / 1e6
        print(f'| {name} ({size:.0f} MB) | `{" ".join([verb, *options])}` | {statistics.median(wall):.2f} | '
              f'{statistics.median(processor):.2f} | {max(memory):.0f} |', flush=True)


if __name__ == '__main__':
    main()
