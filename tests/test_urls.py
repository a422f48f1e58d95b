from crosspi.urls import redact


def test_user_and_password_are_removed_everywhere() -> None:
    assert redact("https://u:p@h/x and http://t@h:1/y") == "https://h/x and http://h:1/y"


def test_an_at_sign_in_the_path_stays() -> None:
    assert redact("https://h/a@b?c=d@e") == "https://h/a@b?c=d@e"
