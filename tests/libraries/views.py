"""Views of a project: a page that requires a second factor, and an API with DRF."""

from django.contrib.auth import authenticate, login
from django.contrib.messages import get_messages
from django.http import HttpResponse, JsonResponse
from django_otp.decorators import otp_required
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler


@otp_required
def verified(request):
    return HttpResponse("Verified.")


def told(request):
    """Return the messages that wait for this browser, as JSON."""
    texts = [str(message) for message in get_messages(request)]
    return JsonResponse(texts, safe=False)


class Me(APIView):
    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username() or None})

    post = get


class JSONAPIRenderer(JSONRenderer):
    media_type = "application/vnd.api+json"


class JSONAPI(Me):
    renderer_classes = [JSONAPIRenderer]


class Staff(Me):
    permission_classes = [IsAdminUser]


class Public(Me):
    permission_classes = [AllowAny]


class Basic(Me):
    """An API that takes a password with every request."""

    authentication_classes = [BasicAuthentication]


class SignIn(APIView):
    authentication_classes = [SessionAuthentication]

    def post(self, request):
        user = authenticate(
            request,
            username=request.data["username"],
            password=request.data["password"],
        )
        login(request, user)
        return Response({"user": request.user.get_username()})


class ReshapedSignIn(SignIn):
    """A view that gives every answer the same shape, with status 200."""

    def get_exception_handler(self):
        def handler(exc, context):
            error = exception_handler(exc, context)
            return Response({"ok": False, "error": error.data["detail"]})

        return handler
