#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The model can fail: each planted defect is found and made small.

Arguments: the model with plants, a file for its program, the compiler, and
what to compile and link the program with.  The program must fail with the
defect and succeed without it.
"""
import os
import re
import subprocess
import sys

# What is planted, and how many steps its program may have at most.
PLANTS = {
    'twice': 4,
    'null': 4,
    'not zeroed': 4,
    'misaligned': 4,
    'written to': 4,
    'no arg': 4,
    'lost': 4,
    'destroyed in use': 4,
    'too few': 4,
    'no reclaim': 4,
    'miscounted': 4,
    'no fails': 4,
    'no fini': 4,
    'no dtor': 4,
    'not static': 4,
    'no pageable': 4,
    'small': 4,
    'no wait': 5,  # one more in a hostile build, which refuses memory
    'waits for nobody': 4,
    'fast twice': 4,
    'fast lost': 4,
    'another type': 4,
    'typed tail': 4,
    'typed lost': 4,
    'over the limit': 4,
    'early reuse': 4,
    'tail': 4,
    'less usable': 4,
}

# Those that only the malloc family shows.
BLOCKS = {'tail', 'less usable'}


def read(path):
    with open(path) as program:
        return program.read()


def run(command, plant=None):
    env = dict(os.environ)
    env.pop('MODEL_PLANT', None)
    if plant is not None:
        env['MODEL_PLANT'] = plant
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=250)
    return done.returncode, done.stdout.decode(errors='replace')


def check(plant, limit, model, program, compile_command):
    """None, or what is wrong."""
    if os.path.exists(program):
        os.remove(program)
    # With the C library's malloc, before which there are defects too.
    status, text = run([model, '--seconds', '20', '--steps', '600',
                        '--out', program,
                        *(['--blocks'] if plant in BLOCKS else [])], plant)
    if status != 1 or not os.path.exists(program):
        return 'not found: ' + text
    text = read(program)
    count = len(re.findall(r'\bDO\(', text))
    if count > limit:
        return f'{count} steps'
    if plant.startswith('fast ') and '.kind = FAST' not in text:
        return 'does not print the inlined call: ' + text
    binary = program[:-2]
    compiler, *rest = compile_command
    status, text = run([compiler, program, '-o', binary] + rest)
    if status != 0:
        return 'does not compile: ' + text
    if run([binary], plant)[0] == 0:
        return 'the program does not show it'
    status, text = run([binary])
    if status != 0:
        return 'fails without it: ' + text
    print(f'# {plant}: {count} steps')
    return None


def main():
    model, program, *compile_command = sys.argv[1:]
    bad = 0
    print(f'1..{len(PLANTS)}')
    for number, (plant, limit) in enumerate(PLANTS.items(), 1):
        wrong = check(plant, limit, model, program, compile_command)
        if wrong is not None:
            bad += 1
            print('# ' + wrong.replace('\n', '\n# '))
        print(f'{"ok" if wrong is None else "not ok"} {number} - {plant}',
              flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
