"""The catalogues are complete, well-formed, and up to date with the source."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from gettext import c2py
from pathlib import Path

import django
import polib
import pytest
from django.core.management import call_command
from django.utils import timezone, translation
from django.utils.translation import ngettext

import session_limit
from session_limit.client import device, user_agents
from session_limit.client.device import device_label
from session_limit.templatetags.session_limit import session_limit_when

PACKAGE = Path(session_limit.__file__).parent
DJANGO = Path(django.__file__).parent
LANGUAGES = ["ar", "de", "es", "fr", "ja", "pt_BR"]
# No larger number is counted here.
NUMBERS = range(1001)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")

each_language = pytest.mark.parametrize("language", LANGUAGES)


def catalogue(language, root=PACKAGE, kind="po"):
    path = root / "locale" / language / "LC_MESSAGES" / f"django.{kind}"
    return {"po": polib.pofile, "mo": polib.mofile}[kind](str(path))


def key(entry):
    return entry.msgctxt, entry.msgid, entry.msgid_plural


def keys(entries):
    return {key(entry) for entry in entries}


def translations(entry):
    return [*entry.msgstr_plural.values()] or [entry.msgstr]


def plural_forms(entries):
    """
    Return the number of plural forms, and the function that selects one for a number.
    """
    header = entries.metadata["Plural-Forms"]
    count, expression = re.fullmatch(
        r"nplurals=(\d); plural=(.+);", header, re.DOTALL
    ).groups()
    return int(count), c2py(expression)


def test_the_languages_that_there_are():
    found = {path.name for path in (PACKAGE / "locale").iterdir()}
    assert found == set(LANGUAGES)


@each_language
def test_it_is_complete(language):
    entries = catalogue(language)
    assert entries.metadata["Language"] == language
    assert not keys(entries.untranslated_entries())
    assert not keys(entries.fuzzy_entries())
    assert not keys(entries.obsolete_entries())
    assert not entries.metadata_is_fuzzy
    assert all(text.strip() for entry in entries for text in translations(entry))


@each_language
def test_what_is_compiled_is_what_is_written(language):
    def said(entries):
        return {key(entry): (entry.msgstr, entry.msgstr_plural) for entry in entries}

    assert said(catalogue(language, kind="mo")) == said(catalogue(language))


@pytest.mark.services("gettext")
@each_language
def test_it_translates_what_the_source_says(language, tmp_path, monkeypatch):
    copy = tmp_path / PACKAGE.name
    left_out = shutil.ignore_patterns("__pycache__", "django.po", "django.mo")
    shutil.copytree(PACKAGE, copy, ignore=left_out)
    monkeypatch.chdir(copy)
    call_command("makemessages", locale=[language], verbosity=0)
    assert keys(catalogue(language)) == keys(catalogue(language, copy))


@each_language
def test_plurals_follow_the_language(language):
    """
    The plural forms follow Django's own. For French and Spanish, Django has had two
    forms or three, the third of which is for whole millions.
    """
    entries = catalogue(language)
    count, plural = plural_forms(entries)
    _, djangos = plural_forms(catalogue(language, DJANGO / "conf"))
    pairs = {(plural(number), djangos(number)) for number in NUMBERS}
    assert len(pairs) == len(dict(pairs)) == len({pair[1] for pair in pairs})
    for entry in entries:
        if entry.msgid_plural:
            assert sorted(entry.msgstr_plural) == [*range(count)], entry.msgid
        else:
            assert not entry.msgstr_plural


@each_language
def test_placeholders_are_kept(language):
    entries = catalogue(language)
    _, plural = plural_forms(entries)
    numbers = {}
    for number in NUMBERS:
        numbers.setdefault(plural(number), []).append(number)
    for entry in entries:
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for form, text in entry.msgstr_plural.items() or [(None, entry.msgstr)]:
            found = PLACEHOLDER.findall(text)
            assert set(found) <= wanted, text
            assert len(found) == len(set(found)), text
            assert "%" not in PLACEHOLDER.sub("", text)
            # A form for a single number may write the number as a word. The English one
            # does.
            is_of_one = form is not None and len(numbers.get(form, ())) == 1
            in_words = len(wanted - set(PLACEHOLDER.findall(entry.msgid)))
            may_lack = 1 if is_of_one else in_words if form == 0 else 0
            assert len(wanted - set(found)) <= may_lack, text


@each_language
def test_texts_look_like_their_originals(language):
    for entry in catalogue(language):
        original = entry.msgid
        assert "<" not in original, f"markup is not a translator's: {original}"
        assert original == original.strip()
        for text in translations(entry):
            assert text == text.strip(), text
            assert "  " not in text, text
            assert not set("<>!\uff01\u00a1") & set(text), text
            assert text.count("\n") == original.count("\n"), text
            assert original.endswith(":") == text.endswith(":"), text
            assert original.endswith(".") == text.endswith((".", "。")), text


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "يمكن استخدام هذا الحساب على جهاز واحد في الوقت نفسه."),
        (2, "يمكن استخدام هذا الحساب على جهازين في الوقت نفسه."),
        (3, "يمكن استخدام هذا الحساب على 3 أجهزة في الوقت نفسه."),
        (11, "يمكن استخدام هذا الحساب على 11 جهازًا في الوقت نفسه."),
        (100, "يمكن استخدام هذا الحساب على 100 جهاز في الوقت نفسه."),
    ],
)
def test_arabic_has_six_forms(number, said):
    with translation.override("ar"):
        text = ngettext(
            "This account can be used on %(limit)d device at a time.",
            "This account can be used on %(limit)d devices at a time.",
            number,
        )
    assert text % {"limit": number} == said


# Device names

NAMES = {
    "": ("Unbekanntes Gerät", "不明なデバイス"),
    "Firefox on Android": ("Firefox auf Android", "Android の Firefox"),
    "Safari on Mac or iPad": ("Safari auf Mac oder iPad", "Mac または iPad の Safari"),
    "Google app on iPhone": ("Google-App auf iPhone", "iPhone の Google アプリ"),
    "Apple device": ("Apple-Gerät", "Apple 製デバイス"),
    "TV": ("TV", "テレビ"),
    "Firefox": ("Firefox", "Firefox"),
    # The admin has the message "Go" too, which means "Ausführen" there.
    "Go on Linux": ("Go auf Linux", "Linux の Go"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_device_name_is_said_in_the_language(name):
    german, japanese = NAMES[name]
    assert device_label(name) == (name or "Unknown device")
    with translation.override("de"):
        assert device_label(name) == german
    with translation.override("ja"):
        assert device_label(name) == japanese


@pytest.mark.parametrize(
    "name", ["Shop app", "Ada's laptop on loan", "Home", "Limit", "on", " on ", "%(x)s"]
)
def test_other_names_stay_as_they_are(name):
    with translation.override("de"):
        assert device_label(name) == name


def test_words_of_other_names_stay_in_a_translated_one():
    with translation.override("de"):
        assert device_label("Home on %(x)s on Windows") == "Home on %(x)s auf Windows"


def test_an_arabic_device_name_begins_from_the_right():
    """
    A ``<bdi>`` takes its direction from the first letter, whatever stands around it.
    """
    with translation.override("ar"):
        assert device_label("Firefox on Android") == "\u200fFirefox على Android"


def test_every_word_is_of_a_name_that_there_is():
    names = {platform for platform, *_ in user_agents.PLATFORMS}
    assert device._WORDS.keys() <= names
    assert {name for name in names if " or " in name} <= device._WORDS.keys()


# Times


def test_a_time_is_said_in_the_language():
    moment = datetime(2024, 11, 23, 14, 32, tzinfo=UTC)
    with timezone.override("UTC"):
        for language, said in [
            ("de", "23. November 2024, 14:32 UTC"),
            ("fr", "23 novembre 2024 à 14:32 UTC"),
            ("ja", "2024年11月23日 14:32 UTC"),
        ]:
            with translation.override(language):
                assert session_limit_when(moment) == said
