from django.contrib.auth import (
    aauthenticate,
    alogin,
    alogout,
    authenticate,
    login,
    logout,
)
from django.http import HttpResponse, JsonResponse
from django.urls import include, path


def sign_in(request):
    credentials = {name: request.POST[name] for name in ("username", "password")}
    login(request, authenticate(request, **credentials))
    request.session["cart"] = "tea"
    return HttpResponse("Welcome.")


async def sign_in_async(request):
    credentials = {name: request.POST[name] for name in ("username", "password")}
    await alogin(request, await aauthenticate(request, **credentials))
    await request.session.aset("cart", "tea")
    return HttpResponse("Welcome.")


def sign_out(request):
    logout(request)
    return HttpResponse("Goodbye.")


async def sign_out_async(request):
    await alogout(request)
    return HttpResponse("Goodbye.")


def members(request):
    status = 200 if request.user.is_authenticated else 403
    return HttpResponse(str(request.user), status=status)


async def members_async(request):
    user = await request.auser()
    return HttpResponse(str(user), status=200 if user.is_authenticated else 403)


def whoami(request):
    current = request.session_limit.current
    return JsonResponse(
        {
            "user": str(request.user),
            "model": request.user.pk and request.user.__class__._meta.label,
            "current": current and current.pk.hex,
            "ended": request.session_limit.ended is not None,
            "cart": request.session.get("cart"),
        }
    )


urlpatterns = [
    path("login/", sign_in),
    path("alogin/", sign_in_async),
    path("logout/", sign_out),
    path("alogout/", sign_out_async),
    path("members/", members),
    path("amembers/", members_async),
    path("whoami/", whoami),
    path("account/sessions/", include("session_limit.urls")),
]
