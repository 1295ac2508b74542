"""An API, as projects write theirs with Django REST framework."""

from django.contrib.auth import authenticate, login
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.authentication import SessionAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler


class View(APIView):
    authentication_classes = [SessionAuthentication]


class Me(View):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username()})


class Public(View):
    permission_classes = [AllowAny]

    def get(self, request):
        return Response({"user": request.user.get_username() or None})


class SignIn(View):
    def post(self, request):
        user = authenticate(request, **request.data.dict())
        login(request, user)
        return Response({"user": user.get_username()})


class ReshapedSignIn(SignIn):
    """One of a project whose clients want every answer in one shape, and with 200."""

    def get_exception_handler(self):
        def handler(exc, context):
            response = exception_handler(exc, context)
            response.data = {"ok": False, "error": response.data["detail"]}
            response.status_code = 200
            return response

        return handler
