//! What stands below the options of a command in its help. Lines are short enough for a narrow terminal: one that is wrapped can
//! no longer be pasted.

pub(super) const PROGRAM: &str = "\
First steps:
  blindray demo
  blindray serve --model chestnet                            # in one shell
  blindray infer --connect localhost:7700 --input FILE       # in another one

Results go to standard output, everything else to standard error. The exit code is 0 when all was done, 1 when the command ran and failed, 2 for bad usage or bad input, 130 after Ctrl-C, 143 after SIGTERM, and 141 when nobody reads the results any more.";

pub(super) const DEMO: &str = "\
Examples:
  blindray demo
  blindray demo --xray 2 --json";

pub(super) const SERVE: &str = "\
Examples:
  # For yourself, on this machine:
  blindray serve --model chestnet
  # For the clients of a list:
  blindray serve --model net.bray --listen 0.0.0.0:7700 --clients hospitals.txt
  # Findings are what an extraction of the weights costs:
  blindray serve --model net.bray --clients hospitals.txt \\
    --quota-images-per-hour 40 --quota-images 5000 --quota-bytes 500GB
  # One image a session, and no fast mode:
  blindray serve --model net.bray --modes faithful --max-images 1
  # Clients see the class, and no probability:
  blindray serve --model net.bray --open top
  # Clients are far: fewer bytes for correlated OTs, at more work:
  blindray serve --model net.bray --network 50Mbit,30ms
  # Two sessions at a time, eight clients in line, others are refused:
  blindray serve --model net.bray --parallel 2 --waiting 8
  # No client holds a place for long:
  blindray serve --model net.bray --max-session 600 --least-rate 1MB \\
    --timeout 20
  # Random weights: what would it cost?
  blindray serve --model densenet121 --size 224 --classes 14
  # As a service:
  blindray serve --config blindray.toml --log-format json \\
    --status 127.0.0.1:7701

A line of the list of clients has a fingerprint, as `blindray identity show` prints it at the client, a name, and if you like what holds for this client alone:

  SHA256:… St. Elsewhere urgent images-per-hour=40 bytes=50GB parallel=2

`urgent` lets it come before those that are not, with `infer --urgent`; nobody else may. images-per-hour=N, images=N, sessions-per-hour=N, bytes=SIZE and parallel=N count in place of the --quota of that name, and may be `unlimited`.

At Ctrl-C (or SIGTERM) it takes no more clients and ends with its last session; a second Ctrl-C ends it at once. At SIGHUP it reads the list of clients and the model again.";

pub(super) const INFER: &str = "\
Examples:
  blindray infer --connect localhost:7700 --input xray.jpeg
  # A folder, and files:
  blindray infer --connect localhost:7700 --input images/ *.dcm --json
  # For the first time; from then on the server's key is known:
  blindray infer --connect model.example:7700 --trust SHA256:… --input xray.png
  # Only from a server of exactly this model:
  blindray infer --connect localhost:7700 --public net.public.json \\
    --input xray.png
  # The same, from one that opens the class alone:
  blindray infer --connect localhost:7700 --public net.public.json --open top \\
    --input xray.png
  # For at most so many bytes and seconds in line, or not at all:
  blindray infer --connect localhost:7700 --max-traffic 500MB --max-wait 60 \\
    --input xray.png
  # With this assumption on correlated OTs, or not at all:
  blindray infer --connect localhost:7700 --extension softspoken \\
    --input xray.png
  # Before others, where the provider allows it to this client:
  blindray infer --connect localhost:7700 --urgent --input xray.png
  # Over four TCP connections:
  blindray infer --connect '[::1]:7700' --connections 4 --input xray.png

After several images come their cost together and the median of one.";

pub(super) const PREPARE: &str = "\
Examples:
  blindray prepare --connect localhost:7700 --images 4
  # In the background, as long as it runs:
  blindray prepare --connect localhost:7700 --stock 8 --keep-going
  # Uses one of them, if there is one:
  blindray infer --connect localhost:7700 --input xray.png

A preparation is for one image, this server, its model as it is now, and one mode. It is kept at both sides, encrypted, is used once, and expires after the days that the server says.";

pub(super) const IDENTITY: &str = "\
Examples:
  blindray identity new --name 'Radiology, St. Elsewhere'
  blindray identity show

`serve`, `infer` and `prepare` make a key at first use where there is none. It is in blindray/identity.pem in your configuration folder, and beside it known_servers, the servers that this party knows.";

pub(super) const AUDIT: &str = "\
Examples:
  blindray audit verify audit.jsonl
  # All files, those that were full too, from the first line on; and the hash
  # that an earlier run has printed:
  blindray audit verify audit.jsonl.[0-9]* audit.jsonl --from-start \\
    --checkpoint 5f3c…
  # The files before it are elsewhere: it goes on from the last line of those:
  blindray audit verify audit.jsonl --continues 5f3c…
  blindray audit show audit.jsonl

Each line has the SHA-256 of the line before it, its line feed included: `sed -n 7p audit.jsonl | sha256sum` is what line 8 says. The exit code is 1 where a line is wrong.";

pub(super) const CLEAR: &str = "\
Examples:
  blindray clear --model chestnet --input xray.jpeg --arithmetic float
  blindray clear --model chestnet --input xray.jpeg --arithmetic fixed --json";

pub(super) const IMPORT: &str = "\
Examples:
  blindray import --onnx net.onnx --calibrate images/ --resize 256 \\
    --out net.bray --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  blindray import --arch resnet20 --weights resnet20.safetensors \\
    --calibrate images/ --out resnet20.bray
  # Clients are far:
  blindray import --arch resnet20 --weights resnet20.safetensors \\
    --calibrate images/ --out far.bray --objective time --network wan

The command also writes net.public.json, the public part of the model. Give it to your clients: with `infer --public net.public.json` they accept no other model.

The table of layers gives bits. `weights`: of a weight. `ring`: of the integers that products are summed in. `proved`: what the sums need whatever the image shows. `calibrated`: what twice the largest sum of the calibration images needs. `output`: of the sums after their truncation. Where the ring is narrower than proved, an image unlike all of the calibration images could wrap. `--ranges` says how much room there is beyond the calibration images.

The table of widths compares the integer network with the float network on calibration images. `where undecided`: how much the errors of the logits would move a probability where the float network is undecided; the root mean square over the images. It and the largest difference must be within --accuracy, else the command fails: with exit code 1, and no model, unless --accept-accuracy-loss is given.";

pub(super) const SEAL: &str = "\
Examples:
  blindray seal key --out net.key
  blindray seal model net.bray --key-file net.key
  blindray serve --model net.bray --key-file net.key
  # From a key management service:
  blindray serve --model net.bray --key-command 'aws kms decrypt
    --ciphertext-blob fileb://net.key.enc --query Plaintext --output text'
  # With a new key:
  blindray seal key --out next.key
  blindray seal rekey net.bray --key-file net.key --new-key-file next.key

The public part of a sealed model stays readable: `infer --public` takes the file. `import --seal` seals a new model before it is written.";

pub(super) const PLAN: &str = "\
Examples:
  blindray plan --model chestnet
  blindray plan --model densenet121 --size 320 --network wan --json
  # What is done before the image is there, and what after:
  blindray plan --model densenet121 --ahead
  # As released in 2022:
  blindray plan --model densenet121 --size 320 --preset cryptflow2-2022
  blindray plan --model net.bray --network 1Gbit,20ms --objective time
  blindray plan --ablation --svg ablation.svg

Bytes and flights are exact. Seconds are estimates: the CPU time of both parties, one after the other, and the time on the network. `blindray bench --calibrate` measures this machine for them.

Two tables follow. The first says what other options would cost, one at a time, with the same network. The last says what networks with other operators would cost, one change at a time: `layers`, how many would be changed; `now`, the bytes of all layers that would not be there or would cost something else, those that make correlated OTs included; `after`, the bytes of those in their place; `saved`, the difference, as a share of `now` and of all bytes. Such a network must be trained anew, and may find less.";

pub(super) const BENCH: &str = "\
Examples:
  blindray bench
  # What is left to do with the input at hand:
  blindray bench --ahead
  # From now on `plan` estimates seconds for this machine:
  blindray bench --calibrate
  blindray bench --calibrate --out ward.json --json";

pub(super) const DOCTOR: &str = "\
Examples:
  blindray doctor
  blindray doctor --connect model.example:7700 --trust SHA256:…
  blindray doctor --connect localhost:7700 --json

Each line is ok, a warning or a fault, with what to do about it. The exit code is 1 where there is a fault.";

pub(super) const PS: &str = "\
Examples:
  blindray serve --model chestnet --status 127.0.0.1:7701      # in one shell
  blindray ps                                                  # in another one
  blindray ps --status localhost:7701 --json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  blindray completions bash \\
    > ~/.local/share/bash-completion/completions/blindray
  blindray completions zsh > ~/.zfunc/_blindray
  blindray completions fish > ~/.config/fish/completions/blindray.fish";

pub(super) const MAN: &str = "\
Examples:
  blindray man infer | man -l -
  blindray man --out ~/.local/share/man/man1";
