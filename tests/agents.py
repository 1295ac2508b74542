"""The headers that browsers, apps and programs send, and the device that each names."""

from __future__ import annotations

from django.http import HttpRequest

from session_limit.client import Device, DeviceClass, describe

PHONE, TABLET, COMPUTER, OTHER = DeviceClass


def client(agent="", remote="", forwarded="", brands="", platform="", mobile=""):
    request = HttpRequest()
    request.META = {
        "HTTP_USER_AGENT": agent,
        "HTTP_SEC_CH_UA": brands,
        "HTTP_SEC_CH_UA_PLATFORM": platform,
        "HTTP_SEC_CH_UA_MOBILE": mobile,
        "HTTP_X_FORWARDED_FOR": forwarded,
        "REMOTE_ADDR": remote,
    }
    return describe(request)


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IOS_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT}"
MAC_SAFARI = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {IOS_WEBKIT}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {IOS_WEBKIT}"
IPAD = f"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) {IOS_WEBKIT}"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT}"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT}"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT}"
MOBILE_CHROME = "Chrome/142.0.0.0 Mobile Safari/537.36"
CHROME = "Chrome/142.0.0.0 Safari/537.36"
GECKO = "Gecko/20100101 Firefox/145.0"
WEB_VIEW = f"Mozilla/5.0 (Linux; Android 15; Pixel 8; wv) {WEBKIT} Version/4.0"
TIZEN = f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) {WEBKIT} SamsungBrowser/6.1"


DEVICES = [
    (f"{WINDOWS} {CHROME}", "Chrome on Windows", COMPUTER),
    (f"{MAC} {CHROME}", "Chrome on macOS", COMPUTER),
    (f"{LINUX} {CHROME}", "Chrome on Linux", COMPUTER),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} {CHROME}",
        "Chrome on ChromeOS",
        COMPUTER,
    ),
    (f"{ANDROID} {MOBILE_CHROME}", "Chrome on Android", PHONE),
    (f"{ANDROID} {CHROME}", "Chrome on Android", TABLET),
    (
        f"{IPHONE} CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
        "Chrome on iPhone",
        PHONE,
    ),
    (
        f"{IPAD} CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
        "Chrome on iPad",
        TABLET,
    ),
    # Chrome on iPadOS or iOS, when it requests the desktop's page.
    (
        f"{MAC_SAFARI} CriOS/142 Version/18.5 Safari/605.1.15",
        "Chrome on iPhone or iPad",
        TABLET,
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) {GECKO}",
        "Firefox on Windows",
        COMPUTER,
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) {GECKO}",
        "Firefox on macOS",
        COMPUTER,
    ),
    (
        f"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) {GECKO}",
        "Firefox on Linux",
        COMPUTER,
    ),
    (
        "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
        "Firefox on Android",
        PHONE,
    ),
    (
        "Mozilla/5.0 (Android 15; Tablet; rv:145.0) Gecko/145.0 Firefox/145.0",
        "Firefox on Android",
        TABLET,
    ),
    (
        f"{IPHONE} FxiOS/145.0 Mobile/15E148 Safari/605.1.15",
        "Firefox on iPhone",
        PHONE,
    ),
    (
        f"{MAC_SAFARI} Version/18.5 Safari/605.1.15",
        "Safari on Mac or iPad",
        COMPUTER,
    ),
    (
        f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1",
        "Safari on iPhone",
        PHONE,
    ),
    (f"{IPAD} Version/17.7 Mobile/15E148 Safari/604.1", "Safari on iPad", TABLET),
    (f"{WINDOWS} {CHROME} Edg/142.0.0.0", "Edge on Windows", COMPUTER),
    (f"{ANDROID} {MOBILE_CHROME} EdgA/142.0.0.0", "Edge on Android", PHONE),
    (
        f"{IPHONE} Version/18.0 EdgiOS/142.0.3595.66 Mobile/15E148 Safari/605.1.15",
        "Edge on iPhone",
        PHONE,
    ),
    (f"{WINDOWS} {CHROME} OPR/124.0.0.0", "Opera on Windows", COMPUTER),
    (f"{ANDROID} {MOBILE_CHROME} OPR/92.0.0.0", "Opera on Android", PHONE),
    (
        f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1 OPT/6.1.0",
        "Opera on iPhone",
        PHONE,
    ),
    (
        f"{ANDROID} SamsungBrowser/28.0 {MOBILE_CHROME}",
        "Samsung Internet on Android",
        PHONE,
    ),
    (
        f"{TIZEN} Chrome/108.0.0.0 TV Safari/537.36",
        "Samsung Internet on TV",
        OTHER,
    ),
    (
        f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} {CHROME}",
        "Chrome on TV",
        OTHER,
    ),
    (
        f"Mozilla/5.0 (Linux; Android 12; Android TV) {WEBKIT} {CHROME}",
        "Chrome on TV",
        OTHER,
    ),
    (
        f"Mozilla/5.0 (Linux; Android 9; AFTMM) {WEBKIT} Silk/126.2 {CHROME}",
        "Silk on TV",
        OTHER,
    ),
    (
        (
            f"Mozilla/5.0 (PlayStation; PlayStation 5/9.00) {IOS_WEBKIT} Version/13.0 "
            "Safari/605.1.15"
        ),
        "PlayStation",
        OTHER,
    ),
    (
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) "
            f"{WEBKIT} {CHROME} Edge/44.18363.8131"
        ),
        "Edge on Xbox",
        OTHER,
    ),
    (
        (
            f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {WEBKIT} OculusBrowser/38.0 "
            "Chrome/142.0.0.0 VR Safari/537.36"
        ),
        "Meta Quest Browser on Meta Quest",
        OTHER,
    ),
    # Samsung's tablets request the desktop's page.
    (
        f"{LINUX} SamsungBrowser/28.0 {CHROME}",
        "Samsung Internet on Android",
        TABLET,
    ),
    (f"{WINDOWS} {CHROME} Vivaldi/7.6.3797.63", "Vivaldi on Windows", COMPUTER),
    (
        f"{WINDOWS} Chrome/142.0.0.0 YaBrowser/25.10.0.0 Safari/537.36",
        "Yandex Browser on Windows",
        COMPUTER,
    ),
    (f"{ANDROID} {MOBILE_CHROME} Ddg/142.0", "DuckDuckGo on Android", PHONE),
    (
        f"{IPHONE} Version/18.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
        "DuckDuckGo on iPhone",
        PHONE,
    ),
    (
        f"{MAC_SAFARI} Version/18.5 Safari/605.1.15 Ddg/18.5",
        "DuckDuckGo on Mac or iPad",
        COMPUTER,
    ),
    (
        (
            f"Mozilla/5.0 (Linux; U; Android 15; en-US; 23049PCD8G) {WEBKIT} "
            "Version/4.0 Chrome/123.0.0.0 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.30"
        ),
        "Mi Browser on Android",
        PHONE,
    ),
    (
        (
            f"Mozilla/5.0 (Phone; OpenHarmony 5.0) {WEBKIT} Chrome/114.0.0.0 "
            "Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.1.0"
        ),
        "Huawei Browser on HarmonyOS",
        PHONE,
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Internet Explorer on Windows",
        COMPUTER,
    ),
    (
        f"{LINUX} HeadlessChrome/142.0.0.0 Safari/537.36",
        "Headless Chrome on Linux",
        COMPUTER,
    ),
    (
        f"Mozilla/5.0 (X11; FreeBSD amd64; rv:145.0) {GECKO}",
        "Firefox",
        COMPUTER,
    ),
    # Pages inside an app ...
    (
        f"{WEB_VIEW} {MOBILE_CHROME} [FB_IAB/FB4A;FBAV/530.0.0.48.74;]",
        "Facebook app on Android",
        PHONE,
    ),
    (
        f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/530.0.0.38.107;FBDV/iPhone16,1]",
        "Facebook app on iPhone",
        PHONE,
    ),
    (
        f"{IPHONE} Mobile/15E148 Instagram 403.0.0.28.80 (iPhone16,1; iOS 18_5)",
        "Instagram app on iPhone",
        PHONE,
    ),
    (
        f"{WEB_VIEW} {MOBILE_CHROME} MMWEBID/1 MicroMessenger/8.0.60 WeChat/arm64",
        "WeChat app on Android",
        PHONE,
    ),
    (f"{IPHONE} Safari Line/15.17.0", "LINE app on iPhone", PHONE),
    (
        f"{IPHONE} GSA/392.0 Mobile/15E148 Safari/604.1",
        "Google app on iPhone",
        PHONE,
    ),
    # ... and pages inside an app that does not give its name.
    (f"{WEB_VIEW} {MOBILE_CHROME}", "Android", PHONE),
    (f"{IPHONE} Mobile/15E148", "iPhone", PHONE),
    (MAC_SAFARI, "Mac or iPad", COMPUTER),
    (
        f"{WINDOWS} Slack/4.46.101 Chrome/142.0.0.0 Electron/39.0 Safari/537.36",
        "Windows",
        COMPUTER,
    ),
    # An app itself, which need not say whether it runs on a phone.
    ("Dalvik/2.1.0 (Linux; U; Android 15; Pixel 8)", "Android", OTHER),
    ("Shop/7.1 (iPhone; iOS 18.5; Scale/3.00)", "iPhone", PHONE),
    ("Shop/7.1 CFNetwork/3826.500.131 Darwin/24.5.0", "Apple device", OTHER),
    # GNOME Web sends what Safari sends, and runs on no device of Apple's.
    (f"{LINUX} Version/18.0 Safari/605.1.15", "Linux", COMPUTER),
    (
        "Mozilla/5.0 (Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
        "Firefox on KaiOS",
        PHONE,
    ),
    ("curl/8.14.1", "curl", OTHER),
    ("Wget/1.25.0", "Wget", OTHER),
    ("python-requests/2.32.5", "Python", OTHER),
    ("python-httpx/0.28.1", "Python", OTHER),
    ("Python/3.13 aiohttp/3.13.2", "Python", OTHER),
    ("Python-urllib/3.13", "Python", OTHER),
    ("Go-http-client/2.0", "Go", OTHER),
    (
        "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1",
        "PowerShell on Windows",
        COMPUTER,
    ),
    ("PostmanRuntime/7.49.1", "Postman", OTHER),
    ("Mozilla/5.0", "", OTHER),
    ("", "", OTHER),
]

WINDOWS_CHROME = f"{WINDOWS} {CHROME}"
ANDROID_CHROME = f"{ANDROID} {MOBILE_CHROME}"


def name_device(request):
    """Return a device, as a project's function in ``SESSION_LIMIT_DEVICE`` does."""
    return Device("Shop app", PHONE)
