from django.contrib.auth import aauthenticate, alogin
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_POST


@login_required
def home(request):
    return HttpResponse(f"Hello {request.user.get_username()}.")


def public(request):
    """Answer without reading the session."""
    return HttpResponse("Public.")


def _identity(user):
    return {"user": user.get_username() if user.is_authenticated else None}


def whoami(request):
    return JsonResponse(_identity(request.user))


async def awhoami(request):
    return JsonResponse(_identity(await request.auser()))


def write(request):
    """Write a growing number to the session."""
    request.session["writes"] = request.session.get("writes", 0) + 1
    return JsonResponse(_identity(request.user) | {"n": request.session["writes"]})


@require_POST
async def sign_in_async(request):
    user = await aauthenticate(
        request,
        username=request.POST.get("username"),
        password=request.POST.get("password"),
    )
    if user is None:
        return HttpResponse("Wrong name or password.", status=400)
    await alogin(request, user)
    return HttpResponseRedirect(request.POST.get("next", "/"))
