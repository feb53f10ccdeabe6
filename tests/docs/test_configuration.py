"""Every configuration in the documents and the examples is valid."""

import re
import tomllib

from documents import DOCUMENTS, ROOT, blocks
from programs import livehook
from service import KEY, TOKEN, Service, make_certificate, script

# Keys of a document are placeholders, which livehook refuses.
PLACEHOLDER = 'key = "..."'


def check(config, folder):
    tomllib.loads(config)
    for name in re.findall(r'password_file = "([^"/]+)"', config):
        (folder / name).write_text("a-password-for-the-tests\n")
    for name in re.findall(r'url_file = "([^"/]+)"', config):
        (folder / name).write_text("http://127.0.0.1:8000/a-url-for-the-tests\n")
    (folder / "config.toml").write_text(config)
    livehook(
        "check-config", "--config", "config.toml", folder=folder,
        environment={"LIVEHOOK_KEYS": KEY, "LIVEHOOK_ADMIN_TOKEN": TOKEN},
    )


def make_secrets(folder):
    make_certificate(folder)
    script("livehook keygen > callback.key; livehook keygen --webhook > webhook.secret", folder)


def test_every_configuration_is_valid(folder):
    make_secrets(folder)
    for path in DOCUMENTS:
        for block in DOCUMENTS[path]:
            if block.language == "toml":
                block.is_used = True
                config = block.text.replace("/etc/livehook/", "")
                while PLACEHOLDER in config:
                    key = livehook("keygen", folder=folder).strip()
                    config = config.replace(PLACEHOLDER, f'key = "{key}"', 1)
                check(config, folder)
    for path in (ROOT / "examples").glob("*.toml"):
        check(path.read_text(), folder)


def test_check_config_is_a_command(folder):
    make_secrets(folder)
    complete = blocks("docs/configuration.md", "A complete example", "toml")[0].text
    (folder / "config.toml").write_text(complete)
    for block in blocks("docs/configuration.md", "Check before you deploy", "sh"):
        script(block.text, folder)


def test_reload_takes_over_a_change(folder):
    service = Service(folder)
    reload, compare = blocks("docs/configuration.md", "Reload", "sh")
    # Flags of `serve` give its key and its addresses, and the commands find them in variables.
    service.config.write_text('receiver.allow_unsigned = true\n')
    with service.running():
        service.config.write_text('receiver = { allow_unsigned = true, leeway_secs = 600 }\n')
        compared, _ = service.script(compare.text)
        assert compared.endswith("a reload would change:\nreceiver.leeway_secs: 0 -> 600\n"), compared
        assert service.script(reload.text)[0] == "receiver.leeway_secs: 0 -> 600\n"
        assert service.script(compare.text)[0].endswith("a reload would change nothing\n")
